"""Who am I, what may I do, and my tokens."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.db.models import Q
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.accounts import serializers as s
from controlplane.accounts import services
from controlplane.accounts.models import ApiToken, User
from controlplane.common import hints
from controlplane.common.errors import NotFound
from controlplane.common.lists import Ordering, page
from controlplane.common.permissions import SELF
from controlplane.common.views import ApiView, Operation


def current_user(view: ApiView) -> User:
    """The user behind the request, a token's owner too."""
    return User.objects.get(pk=user_id(view))


def user_id(view: ApiView) -> uuid.UUID:
    """The id of that user."""
    return view.access.actor.user_id or uuid.UUID(int=0)


class MeView(ApiView):
    """`me/`."""

    operations = {
        "GET": Operation(SELF, "Who is signed in", response=s.Me),
        "PATCH": Operation(
            SELF, "Change own preferences", body=s.MeChange, response=s.Me, action="user.preferences",
            example={"preferences": {"theme": "dark"}},
        ),
    }  # fmt: skip

    def get(self, request: Request) -> Response:
        """The account, and what it may do somewhere."""
        return Response(self._me(current_user(self)))

    def patch(self, request: Request) -> Response:
        """Some preferences; the others stay."""
        user = services.preferences_change(user=current_user(self), changes=self.body["preferences"])
        self.note(user)
        return Response(self._me(user))

    def _me(self, user: User) -> dict[str, Any]:
        here = hints.position()
        return {
            "id": str(user.pk),
            "username": user.username,
            "email": user.email,
            "kind": self.access.actor.kind,
            "roles": sorted(set(user.grants.values_list("role__name", flat=True))),
            "rights": sorted(self.access.rights),
            "preferences": user.preferences,
            "feed": {"seq": here.seq, "epoch": here.epoch},
        }


class RightsView(ApiView):
    """`me/rights/`."""

    operations = {"GET": Operation(SELF, "What may be done", query=s.RightsQuery, response=s.Rights)}

    def get(self, request: Request) -> Response:
        """Rights held somewhere, or on `?host=`."""
        host = self.query.get("host")
        return Response({"rights": self.access.rights_on(host) if host else sorted(self.access.rights)})


class TokensView(ApiView):
    """`tokens/`: one's own."""

    operations = {
        "GET": Operation(SELF, "List own tokens", query=s.TokenQuery, response=s.Token, many=True),
        "POST": Operation(
            SELF, "Create a token; it is shown in this answer only", body=s.TokenCreate, response=s.NewToken,
            status=201, action="token.create", example={"name": "ci", "scopes": ["containers.view"]},
        ),
    }  # fmt: skip
    ordering = Ordering({"name": "name", "created_at": "created_at"}, "name")

    def get(self, request: Request) -> Response:
        """The user's tokens; also for a token of the same user."""
        rows = ApiToken.objects.filter(user_id=user_id(self))
        if "name" in self.query:
            rows = rows.filter(name=self.query["name"])
        if self.query.get("search"):
            rows = rows.filter(Q(name__icontains=self.query["search"]))
        return page(request, self.query, rows, ordering=self.ordering, render=_tokens)

    def post(self, request: Request) -> Response:
        """A new token."""
        token, text = services.token_create(user=current_user(self), within=self.access, **self.body)
        self.note(token)
        token.token = text  # type: ignore[attr-defined]
        return Response(
            s.NewToken(token).data,
            status=201,
            headers={"Location": f"/api/tokens/{token.pk}/", "Cache-Control": "no-store"},
        )


def _tokens(rows: Sequence[ApiToken]) -> list[Any]:
    return list(s.Token(rows, many=True).data)


class TokenView(ApiView):
    """`tokens/{id}/`."""

    operations = {
        "GET": Operation(SELF, "One own token", response=s.Token),
        "DELETE": Operation(SELF, "Revoke a token", status=204, action="token.delete"),
    }

    def get(self, request: Request, id: uuid.UUID) -> Response:
        """Without the token itself."""
        token = ApiToken.objects.filter(user_id=user_id(self), pk=id).first()
        if token is None:
            raise NotFound("No such token")
        return Response(s.Token(token).data)

    def delete(self, request: Request, id: uuid.UUID) -> Response:
        """It ends at once."""
        self.note(services.token_delete(user=current_user(self), token_id=id))
        return Response(status=204)
