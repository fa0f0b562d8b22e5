"""`repositories/` over REST; people's passwords and tokens at `/v2/token`."""

import json
from typing import Any

import pytest
from django.utils import timezone

from controlplane.accounts.models import User
from controlplane.audit.models import Entry
from controlplane.common.access import Actor
from controlplane.common.errors import TooMany
from controlplane.registry import services
from controlplane.registry.models import Blob, BlobLink, Repository
from controlplane.registry.people import authenticate
from tests.controlplane import cast
from tests.controlplane.registry.conftest import OCI_MANIFEST, digest_of, manifest

pytestmark = pytest.mark.django_db
PUSHER = Actor("user:1", "ada", "user")


def pushed(name: str, *tags: str, layer: bytes = b"layer") -> str:
    repository, _ = Repository.objects.get_or_create(name=name)
    for content in (b"{}", layer):
        defaults = {"size": len(content), "used_at": timezone.now()}
        blob, _ = Blob.objects.get_or_create(digest=digest_of(content), defaults=defaults)
        BlobLink.objects.get_or_create(repository=repository, blob=blob)
    body = json.dumps(manifest(b"{}", layer)).encode()
    for tag in tags:
        services.manifest_put(name=name, reference=tag, content=body, content_type=OCI_MANIFEST, pusher=PUSHER)
    return digest_of(body)


def test_it_works(api: cast.Api) -> None:
    digest = pushed("team/app", "v1", "v2")
    pushed("other", "v1", layer=b"another layer")
    listed = api("GET", "repositories/?order=-tags&name=team/app").data
    assert listed["count"] == 1
    row = listed["results"][0]
    assert (row["name"], row["tags"], row["size"], row["pushed_by"]) == ("team/app", 2, len(b"{}layer"), "ada")
    tags = api("GET", f"repositories/{row['id']}/tags/?order=-name").data
    assert [tag["name"] for tag in tags["results"]] == ["v2", "v1"]
    assert tags["results"][0]["digest"] == digest
    detail = api("GET", f"repositories/{row['id']}/manifests/{digest}/")
    assert detail.data["tags"] == ["v1", "v2"]
    assert detail.data["manifest"]["mediaType"] == OCI_MANIFEST
    again = api("GET", f"repositories/{row['id']}/manifests/{digest}/", If_None_Match=detail.headers["ETag"])
    assert again.status_code == 304
    assert Entry.objects.filter(action="repository.push", target_name="team/app").count() == 2


def test_remove(api: cast.Api) -> None:
    digest = pushed("app", "v1", "v2")
    repository = Repository.objects.get(name="app")
    assert api("DELETE", f"repositories/{repository.pk}/tags/v1/").status_code == 204
    assert api("DELETE", f"repositories/{repository.pk}/tags/v1/").status_code == 404
    assert Entry.objects.get(action="repository.tag_remove", code="").details == {"tag": "v1", "digest": digest}
    assert api("DELETE", f"repositories/{repository.pk}/manifests/{digest}/").status_code == 204
    assert api("GET", f"repositories/{repository.pk}/tags/").data["count"] == 0
    assert api("GET", f"repositories/{repository.pk}/manifests/{digest}/").status_code == 404


def test_viewer_may_look_only(viewer: User) -> None:
    pushed("app", "v1")
    repository = Repository.objects.get(name="app")
    api = cast.Api(viewer)
    assert api("GET", "repositories/").data["count"] == 1
    refused = api("DELETE", f"repositories/{repository.pk}/tags/v1/")
    assert (refused.status_code, refused.data["params"]["right"]) == (403, "registry.manage")


def test_collect_sends_the_task(api: cast.Api, monkeypatch: Any, django_capture_on_commit_callbacks: Any) -> None:
    sent: list[str] = []
    monkeypatch.setattr("controlplane.common.dispatch.send", lambda name, *_, **__: sent.append(name))
    with django_capture_on_commit_callbacks(execute=True):
        assert api("POST", "repositories/gc/").status_code == 202
    assert sent == ["registry.collect"]


def test_passwords_and_tokens(owner: User, viewer: User) -> None:
    access = authenticate("ada", cast.PASSWORD, "10.0.0.1")
    assert access is not None
    assert access.anywhere("registry.push")
    looking = authenticate("vera", cast.Api(viewer).token, "10.0.0.1")
    assert looking is not None
    assert looking.anywhere("registry.pull")
    assert not looking.anywhere("registry.push")
    assert authenticate("ada", "wrong", "10.0.0.1") is None
    assert authenticate("nobody", cast.PASSWORD, "10.0.0.1") is None
    assert authenticate("ada", "ls_" + "x" * 49, "10.0.0.1") is None


def test_disabled_user(owner: User) -> None:
    token = cast.Api(owner).token
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert authenticate("ada", cast.PASSWORD, "10.0.0.1") is None
    assert authenticate("ada", token, "10.0.0.1") is None


def test_guessing_is_slowed_down(owner: User) -> None:
    for _ in range(5):
        assert authenticate("ada", "wrong", "10.0.0.1") is None
    with pytest.raises(TooMany):
        authenticate("ada", cast.PASSWORD, "10.0.0.1")
    assert authenticate("ada", cast.PASSWORD, "10.0.0.2") is not None
