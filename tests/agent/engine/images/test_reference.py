"""Names of images."""

import pytest

from agent.engine.errors import Invalid
from agent.engine.images.reference import parse

D = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "full", "familiar"),
    [
        ("alpine", "docker.io/library/alpine", "alpine"),
        ("alpine:3", "docker.io/library/alpine:3", "alpine:3"),
        ("user/app", "docker.io/user/app", "user/app"),
        ("index.docker.io/library/alpine", "docker.io/library/alpine", "alpine"),
        ("docker.io/alpine", "docker.io/library/alpine", "alpine"),
        ("localhost/app", "localhost/app", "localhost/app"),
        ("localhost:5000/app:1", "localhost:5000/app:1", "localhost:5000/app:1"),
        ("example.org/a/b__c-d.e:T_1", "example.org/a/b__c-d.e:T_1", "example.org/a/b__c-d.e:T_1"),
        ("[::1]:5000/app", "[::1]:5000/app", "[::1]:5000/app"),
        (f"app@{D}", f"docker.io/library/app@{D}", f"app@{D}"),
        (f"app:1@{D}", f"docker.io/library/app:1@{D}", f"app:1@{D}"),
    ],
)
def test_it_works(text, full, familiar):
    found = parse(text)
    assert (str(found), found.familiar) == (full, familiar)
    assert parse(full) == found


@pytest.mark.parametrize(
    "text",
    ["", "Upper", "a:b:c", "a/", "/a", "a//b", "a:-x", "a@sha256:zz", "a" * 300, "b" * 64, "a b", "a:", "../a", "-a"],
)
def test_refused(text):
    with pytest.raises(Invalid):
        parse(text)


def test_words_of_dockerd():
    with pytest.raises(Invalid, match=r"^invalid reference format: repository name must be lowercase$"):
        parse("Upper")
    with pytest.raises(Invalid, match=r"^invalid reference format$"):
        parse("a:b:c")
