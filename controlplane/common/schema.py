"""OpenAPI from the tables of operations: parameters, bodies, answers, rights and orders."""

import re
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, inline_serializer
from rest_framework import serializers

PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "code", "params", "errors"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What, which object, what to do"},
        "instance": {"type": "string", "description": "The request's id"},
        "code": {"type": "string"},
        "params": {"type": "object", "additionalProperties": {}},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail", "params"],
                "properties": {
                    "pointer": {"type": "string"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                    "params": {"type": "object", "additionalProperties": {}},
                },
            },
        },
        "order": {"type": "object", "additionalProperties": {}},
    },
}


class Schema(AutoSchema):
    """Reads `view.operations` instead of guessing."""

    def _operation(self) -> Any:
        return getattr(self.view, "operations", {}).get(self.method)

    def is_excluded(self) -> bool:
        """Methods that a view does not declare do not exist."""
        return self._operation() is None

    def get_tags(self) -> list[str]:
        """One tag a noun."""
        return [self.path.removeprefix("/api/").split("/")[0]]

    def get_operation_id(self) -> str:
        """The path's words and the method: `containers_id_stop_post`."""
        words = re.sub(r"[{}]", "", self.path.removeprefix("/api/")).strip("/").replace("-", "_").split("/")
        return "_".join([*words, self.method.lower()])

    def get_summary(self) -> str | None:
        """The operation's one line."""
        return str(self._operation().summary)

    def get_description(self) -> str:  # type: ignore[override]
        """What must be held, and what is made."""
        operation = self._operation()
        words = [f"Needs `{operation.right}`." if "." in operation.right else ""]
        words.append(f"Makes the order `{operation.order}`." if operation.order else "")
        return " ".join(word for word in words if word)

    def get_override_parameters(self) -> list[Any]:
        """The query's fields."""
        query = self._operation().query
        return [query] if query else []

    def get_request_serializer(self) -> Any:
        """The body, if there is one."""
        return self._operation().body

    def get_response_serializers(self) -> Any:
        """The success answer; problems are added to all by a hook."""
        operation = self._operation()
        response = operation.response
        if operation.many:
            name = response.__name__ if isinstance(response, type) else type(response).__name__
            response = inline_serializer(
                f"{name}Page",
                {
                    "results": response(many=True),
                    "count": serializers.IntegerField(),
                    "next": serializers.CharField(allow_null=True),
                    "previous": serializers.CharField(allow_null=True),
                },
            )
        answer = OpenApiResponse(response, description="") if response is not None else OpenApiResponse(description="")
        if operation.media_type != "application/json":
            return {(operation.status, operation.media_type): answer}
        return {operation.status: answer}

    def get_examples(self) -> list[OpenApiExample]:
        """A body that works."""
        example = self._operation().example
        return [OpenApiExample("example", value=example, request_only=True)] if example is not None else []

    def get_extensions(self) -> dict[str, Any]:
        """Right and order, for programs."""
        operation = self._operation()
        extensions = {"x-right": operation.right}
        if operation.order:
            extensions["x-order"] = operation.order
        return extensions


def problems_everywhere(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Add the problem document as every operation's answer for anything that is not a success."""
    result["components"].setdefault("schemas", {})["Problem"] = PROBLEM
    answer = {
        "description": "A refusal",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for path in result["paths"].values():
        for operation in path.values():
            operation["responses"]["default"] = answer
    return result
