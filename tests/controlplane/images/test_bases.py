"""A build that begins from images of our own registry brings its host a token for just those."""

import bz2
import gzip
import io
import json
import tarfile
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from controlplane.hosts.models import Host
from controlplane.images.bases import bases_of
from controlplane.images.contexts import context_store, dockerfile_of
from controlplane.orders.grants import grants_for
from controlplane.orders.models import Order
from controlplane.registry import tokens
from tests.controlplane import cast


@pytest.mark.parametrize(
    ("text", "given", "bases"),
    [
        ("FROM busybox\n", {}, ["busybox"]),
        ("from --platform=$BUILDPLATFORM r:5000/a/b:1 AS x\nFROM X\nFROM r:5000/c@sha256:00", {},
         ["r:5000/a/b:1", "r:5000/c@sha256:00"]),
        ("ARG BASE=r:5000/a\nARG TAG\nFROM ${BASE}:${TAG:-1}\nARG BASE=other\nFROM $BASE", {"TAG": "2"},
         ["r:5000/a:2", "r:5000/a"]),
        ("ARG A=1 B=r/$A\nFROM \"$B\"", {}, ["r/1"]),
        ("# escape=`\nFROM `\n  # a comment\n\n  r/a\nRUN dir C:\\\nFROM r/b", {}, ["r/a", "r/b"]),
        ("FROM \\\n  r/a\nCOPY --from=r/b /x /\nCOPY --from=0 /x /\nRUN --mount=type=bind,from=r/c true", {},
         ["r/a", "r/b", "r/c"]),
        ("FROM scratch\nCOPY a b", {}, []),
        ("", {}, []),
        ("FROM\n", {}, []),
    ],
)  # fmt: skip
def test_bases_of(text: str, given: dict[str, str], bases: list[str]) -> None:
    assert bases_of(text, given) == bases


def test_values_of_values_do_not_grow() -> None:
    text = "ARG A0=aaaaaaaaaa\n" + "".join(f"ARG A{n + 1}=$A{n}$A{n}\n" for n in range(60)) + "FROM $A60\n"
    assert len(bases_of(text, {})[0]) < 1000


def archive(*files: tuple[str, bytes], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as made:
        for name, data in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            made.addfile(entry, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize("packed", [bytes, gzip.compress, bz2.compress])
def test_dockerfile_of(packed: Callable[[bytes], bytes], settings: Any) -> None:
    stored = context_store([packed(archive(("./big", bytes(3 << 20)), ("./sub/Dockerfile", b"FROM a")))])
    assert dockerfile_of(stored, "sub/Dockerfile") == "FROM a"
    assert dockerfile_of(stored, "Dockerfile") == ""


def test_what_is_no_archive_has_no_dockerfile() -> None:
    assert dockerfile_of(context_store([b"no archive"]), "Dockerfile") == ""
    assert dockerfile_of(context_store([gzip.compress(b"x" * 600)[:-9]]), "Dockerfile") == ""
    assert dockerfile_of("0" * 64, "Dockerfile") == ""


def test_a_small_archive_that_unpacks_without_end_is_given_up() -> None:
    head = tarfile.TarInfo("big")
    head.size = 1 << 40
    endless = context_store([gzip.compress(head.tobuf() + bytes(1 << 20))])
    assert dockerfile_of(endless, "Dockerfile") == ""
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 1 << 30
    assert dockerfile_of(context_store([header.tobuf() + bytes(1 << 20)]), "Dockerfile") == ""


@pytest.mark.django_db
def test_a_token_for_the_bases_and_no_other(api: cast.Api, host: Host) -> None:
    own = tokens.service()
    text = f"FROM {own}/team/base:1 AS one\nFROM busybox\nCOPY --from={own}/tools /x /x\n"
    order = Order.objects.get(pk=api("POST", "images/build/", {"hosts": ["web-1"], "dockerfile_text": text}).data["id"])
    assert order.args["bases"] == [f"{own}/team/base:1", f"{own}/tools"]
    given = grants_for(order)["registry_auth"]
    assert given["serveraddress"] == own
    token = tokens.verify(given["registrytoken"])
    assert dict(token.access) == {("repository", name): frozenset({"pull"}) for name in ("team/base", "tools")}


@pytest.mark.django_db
def test_an_uploaded_context_is_read(api: cast.Api, host: Host) -> None:
    own = tokens.service()
    data = archive(("other", f"ARG V\nFROM {own}/base:$V\n".encode()), ("Dockerfile", b"FROM busybox"))
    form = {"hosts": ["web-1"], "dockerfile": "./other", "build_args": {"V": "3"}}
    parts = {"form": json.dumps(form), "context": SimpleUploadedFile("c.tar", data)}
    answer = api.client.post("/api/images/build/", parts, headers=api.headers)
    assert answer.status_code == 202
    assert Order.objects.get().args["bases"] == [f"{own}/base:3"]


@pytest.mark.django_db
def test_no_base_of_ours_no_token(api: cast.Api, host: Host) -> None:
    api("POST", "images/build/", {"hosts": ["web-1"], "dockerfile_text": "FROM busybox\n"})
    order = Order.objects.get()
    assert "bases" not in order.args
    assert grants_for(order) == {}


@pytest.mark.django_db
def test_too_many_are_refused(api: cast.Api, host: Host) -> None:
    text = "".join(f"FROM {tokens.service()}/base{n}\n" for n in range(13))
    answer = api("POST", "images/build/", {"hosts": ["web-1"], "dockerfile_text": text})
    assert (answer.status_code, answer.data["errors"][0]["code"]) == (400, "too_many_bases")


def test_the_longest_token_fits_into_a_header(settings: Any) -> None:
    names = [f"{n:02}" + "a" * 253 for n in range(12)]
    token = tokens.issue(names, ("pull",), "host:" + "0" * 36)
    whole = {tokens.service(): {"registrytoken": token, "serveraddress": tokens.service()}}
    assert len(json.dumps(whole)) * 4 / 3 + 20 < 8190
