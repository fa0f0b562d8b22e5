"""Fixtures of the control plane's tests; no Redis is needed, since nothing of it is truth."""

from collections.abc import Generator
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from pytest_django.plugin import blocking_manager_key

from controlplane.accounts.models import User
from controlplane.hosts.models import Host
from tests.controlplane import cast


@pytest.fixture(autouse=True)
def _alone(settings: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    settings.LONGSHORE_DATA = tmp_path_factory.getbasetemp() / "data"
    settings.LONGSHORE_DATA.mkdir(exist_ok=True)


@pytest.fixture
def owner(db: None) -> User:
    """The administrator."""
    return cast.person("ada", "owner")


@pytest.fixture
def viewer(db: None) -> User:
    """One who may only look."""
    return cast.person("vera", "viewer")


@pytest.fixture
def api(owner: User) -> cast.Api:
    """REST as the administrator."""
    return cast.Api(owner)


@pytest.fixture
def host(db: None) -> Host:
    """A host that is there."""
    return cast.online_host()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, None, None]:
    """A test with real transactions empties every table when it ends; lay back what the migrations wrote.

    After the last test there is no database any more.
    """
    yield
    marker = item.get_closest_marker("django_db")
    contents = getattr(connection, "_test_serialized_contents", None)
    if nextitem is not None and marker and marker.kwargs.get("transaction") and contents:
        with item.config.stash[blocking_manager_key].unblock():
            # Made anew by the flush under other keys, these would collide with those that are laid back.
            ContentType.objects.all().delete()
            connection.creation.deserialize_db_from_string(contents)
