"""Who may do what: users, roles as rows of rights, grants of a role, API tokens."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.core.validators import RegexValidator
from django.db import models

from controlplane.common.models import Base, Versioned


class UserManager(BaseUserManager["User"]):
    """Makes users with a hashed password."""

    def create_user(self, username: str, password: str | None = None, **fields: Any) -> User:
        """Make a user; without a password nobody can sign in as it."""
        user = self.model(username=username, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        """Look a user up by name, as Django's commands do."""
        return self.get(username=username)


class User(AbstractBaseUser, Versioned):
    """A person. What it may do stands in its grants."""

    username = models.CharField(
        max_length=64, unique=True, validators=[RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9_.@-]*$")]
    )
    email = models.EmailField(blank=True, default="")
    is_active = models.BooleanField(default=True)
    preferences = models.JSONField(default=dict)

    objects: ClassVar[UserManager] = UserManager()
    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    def __str__(self) -> str:
        return self.username


class Role(Base):
    """A named set of rights."""

    name = models.SlugField(max_length=64, unique=True)
    title = models.CharField(max_length=100)
    builtin = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.name


class RoleRight(models.Model):
    """One right of one role."""

    role = models.ForeignKey(Role, on_delete=models.CASCADE, related_name="rights")
    right = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["role", "right"], name="role_right_once")]


class Grant(Base):
    """A role given to a user, on every host or on one."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="grants")
    role = models.ForeignKey(Role, on_delete=models.PROTECT, related_name="grants")
    # No foreign key: hosts build on accounts, and a grant on a forgotten host gives nothing.
    host_id = models.UUIDField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "role", "host_id"], name="grant_once_per_host"),
            models.UniqueConstraint(
                fields=["user", "role"], condition=models.Q(host_id=None), name="grant_once_everywhere"
            ),
        ]


class ApiToken(Base):
    """A bearer token of a user. Only its SHA-256 is stored."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=12)  # the first characters, so that a person recognises it
    scopes = models.JSONField(default=list)  # rights; empty means all of the owner's
    hosts = models.JSONField(default=list)  # host ids; empty means all of the owner's
    addresses = models.JSONField(default=list)  # networks it may come from; empty means any
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_used_from = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="token_name_once_per_user")]

    def __str__(self) -> str:
        return self.name


class SignInCount(models.Model):
    """Sign-ins begun for one (user, network) since `since`; see throttle.py."""

    key = models.CharField(max_length=64, unique=True)
    since = models.DateTimeField()
    count = models.PositiveIntegerField(default=1)
