"""Bodies and answers about users and tokens."""

import ipaddress
from datetime import timedelta
from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from controlplane.accounts.models import ApiToken
from controlplane.common import rights
from controlplane.common.lists import ListQuery
from controlplane.common.serializers import Query, Strict

DEFAULT_DAYS = 90
MAX_DAYS = 730


class Preferences(Strict):
    """What a person has chosen; absent means the default."""

    theme = serializers.ChoiceField(choices=["system", "light", "dark"], required=False)
    density = serializers.ChoiceField(choices=["normal", "compact"], required=False)
    zone = serializers.CharField(max_length=64, required=False)
    locale = serializers.CharField(max_length=35, required=False)
    keys = serializers.BooleanField(required=False)


class MeChange(Strict):
    """Body of PATCH me/."""

    preferences = Preferences()


class FeedPosition(serializers.Serializer[Any]):
    """Where the feed of `/ws/events` stood when this was answered: `since` of a first subscription."""

    seq = serializers.IntegerField()
    epoch = serializers.CharField(help_text="Which feed; empty while it is away")


class Me(serializers.Serializer[Any]):
    """Who is signed in."""

    id = serializers.UUIDField()
    username = serializers.CharField()
    email = serializers.CharField()
    kind = serializers.ChoiceField(choices=["user", "token"])
    roles = serializers.ListField(child=serializers.CharField())
    rights = serializers.ListField(child=serializers.CharField(), help_text="Held on at least one host")
    preferences = Preferences()
    feed = FeedPosition()


class RightsQuery(Query):
    """Parameters of me/rights/."""

    host = serializers.UUIDField(required=False)


class Rights(serializers.Serializer[Any]):
    """What may be done; with `host`, on that host."""

    rights = serializers.ListField(child=serializers.CharField())


class TokenQuery(ListQuery):
    """Filters of the list of tokens."""

    name = serializers.CharField(max_length=100, required=False)


class TokenCreate(Strict):
    """Body of POST tokens/."""

    name = serializers.CharField(max_length=100)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=sorted(rights.ALL)), default=list)
    hosts = serializers.ListField(child=serializers.UUIDField(), default=list, max_length=500)
    addresses = serializers.ListField(child=serializers.CharField(max_length=64), default=list, max_length=50)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)

    def validate_addresses(self, value: list[str]) -> list[str]:
        """Each an address or a network."""
        for text in value:
            try:
                ipaddress.ip_network(text, strict=False)
            except ValueError:
                raise serializers.ValidationError(f"{text!r} is no address or network", code="bad_address") from None
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """An end: 90 days unless another is asked for, never more than two years."""
        now = timezone.now()
        attrs.setdefault("expires_at", now + timedelta(days=DEFAULT_DAYS))
        ends = attrs["expires_at"]
        if ends is None or not now < ends <= now + timedelta(days=MAX_DAYS):
            raise serializers.ValidationError(
                {"expires_at": [ErrorDetail(f"Must lie within {MAX_DAYS} days from now", code="bad_expiry")]}
            )
        return attrs


class Token(serializers.ModelSerializer[ApiToken]):
    """A token without the token."""

    scopes = serializers.ListField(child=serializers.CharField())
    hosts = serializers.ListField(child=serializers.UUIDField())
    addresses = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = ApiToken
        fields = [
            "id", "name", "hint", "scopes", "hosts", "addresses", "created_at", "expires_at", "last_used_at",
            "last_used_from",
        ]  # fmt: skip


class NewToken(Token):
    """The answer to POST tokens/: the only one with the token."""

    token = serializers.CharField()

    class Meta(Token.Meta):
        fields = [*Token.Meta.fields, "token"]
