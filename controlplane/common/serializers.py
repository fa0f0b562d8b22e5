"""Serializers that refuse what they do not know."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail


class Strict(serializers.Serializer[Any]):
    """A body whose unknown names are errors: a misspelt option must never be ignored."""

    def to_internal_value(self, data: Any) -> Any:
        """Validate; unknown names first."""
        if isinstance(data, Mapping):
            unknown = sorted(set(data) - set(self.fields))
            if unknown:
                raise serializers.ValidationError(
                    {name: [ErrorDetail(f"Unknown field {name!r}", code="unknown_field")] for name in unknown}
                )
        return super().to_internal_value(data)


class Query(serializers.Serializer[Any]):
    """Query parameters; unknown ones, and single ones given twice, are errors."""

    def to_internal_value(self, data: Any) -> Any:
        """Validate a QueryDict."""
        wrong = {}
        for name in data:
            field = self.fields.get(name)
            if field is None:
                wrong[name] = [ErrorDetail(f"Unknown query parameter {name!r}", code="unknown_parameter")]
            elif len(data.getlist(name)) > 1 and not isinstance(field, serializers.ListField):
                wrong[name] = [ErrorDetail(f"{name!r} may be given once", code="given_twice")]
        if wrong:
            raise serializers.ValidationError(wrong)
        # A plain dict: in a QueryDict DRF takes an absent BooleanField for an unticked box, that is, for false.
        lists = {name for name, field in self.fields.items() if isinstance(field, serializers.ListField)}
        return super().to_internal_value({name: data.getlist(name) if name in lists else data[name] for name in data})


class Repeated(serializers.ListField):
    """A query parameter that may be given several times; repeated means "or"."""

    def __init__(self, child: serializers.Field[Any, Any, Any, Any] | None = None) -> None:
        super().__init__(child=child or serializers.CharField(max_length=255), required=False, max_length=500)
