"""The rights check, in one place: what a view does not declare is denied."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from controlplane.common.access import Access, denied
from controlplane.common.errors import Unauthenticated

PUBLIC = "public"
"""Anybody, without signing in."""
SELF = "self"
"""Anybody who is signed in, about themselves."""


class HasRight(BasePermission):
    """Allow what the view's operation for this method names, and nothing else."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Check the right as such; a view checks it again on the object's host.

        Raises:
            Unauthenticated, Denied: with what is missing.
        """
        operation = getattr(view, "operations", {}).get("GET" if request.method == "HEAD" else request.method)
        if operation is None:
            return False
        if operation.right == PUBLIC:
            return True
        if not isinstance(request.auth, Access):
            raise Unauthenticated("Sign in, or send an API token as `Authorization: Bearer ls_…`")
        if operation.right != SELF and not request.auth.anywhere(operation.right):
            raise denied(operation.right)
        return True
