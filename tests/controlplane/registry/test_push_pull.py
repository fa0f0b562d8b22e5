"""Push and pull by the wire: every way in which a blob comes, manifests, tags, referrers."""

import json

import requests

from tests.controlplane.registry.conftest import (
    EMPTY,
    OCI_INDEX,
    OCI_MANIFEST,
    Client,
    Server,
    digest_of,
    manifest,
)


def test_it_works(wire: Client) -> None:
    digest = wire.push_image("a", "v1", b"layer")
    for reference in ("v1", digest):
        answer = wire("GET", f"/v2/a/manifests/{reference}")
        assert answer.headers["Docker-Content-Digest"] == digest == digest_of(answer.content)
        assert answer.headers["Content-Type"] == OCI_MANIFEST
    assert wire("HEAD", "/v2/a/manifests/v1").headers["Content-Length"] == str(len(answer.content))
    assert wire("GET", f"/v2/a/blobs/{digest_of(b'layer')}").content == b"layer"


def test_upload_in_chunks(wire: Client) -> None:
    content = bytes(range(256)) * 20_000
    begun = wire("POST", "/v2/a/blobs/uploads/")
    assert begun.status_code == 202
    assert begun.headers["Range"] == "0-0"
    at = begun.headers["Location"]
    for start in range(0, len(content), 1_000_000):
        chunk = content[start : start + 1_000_000]
        answer = wire("PATCH", at, data=chunk, headers={"Content-Range": f"{start}-{start + len(chunk) - 1}"})
        assert answer.status_code == 202
        assert answer.headers["Range"] == f"0-{start + len(chunk) - 1}"
    status = wire("GET", at)
    assert (status.status_code, status.headers["Range"]) == (204, f"0-{len(content) - 1}")
    done = wire("PUT", at, params={"digest": digest_of(content)})
    assert done.status_code == 201
    assert wire("GET", done.headers["Location"]).content == content
    assert wire("GET", at).status_code == 404


def test_last_chunk_with_the_digest(wire: Client) -> None:
    at = wire("POST", "/v2/a/blobs/uploads/").headers["Location"]
    wire("PATCH", at, data=b"first ")
    assert wire("PUT", at, params={"digest": digest_of(b"first last")}, data=b"last").status_code == 201


def test_empty_blob(wire: Client) -> None:
    assert wire("GET", f"/v2/a/blobs/{wire.push_blob('a', b'')}").content == b""


def test_cancelled_upload(wire: Client) -> None:
    at = wire("POST", "/v2/a/blobs/uploads/").headers["Location"]
    assert wire("DELETE", at).status_code == 204
    assert wire("PATCH", at, data=b"x").status_code == 404


def test_range(wire: Client) -> None:
    digest = wire.push_blob("a", b"0123456789")
    for given, status, content in [
        ("bytes=2-4", 206, b"234"),
        ("bytes=7-", 206, b"789"),
        ("bytes=-3", 206, b"789"),
        ("bytes=0-99", 200, b"0123456789"),
        ("bytes=10-", 416, None),
    ]:
        answer = wire("GET", f"/v2/a/blobs/{digest}", headers={"Range": given})
        assert answer.status_code == status, given
        assert content is None or answer.content == content


def test_mount(wire: Client) -> None:
    digest = wire.push_blob("a", b"shared")
    assert wire("HEAD", f"/v2/b/blobs/{digest}").status_code == 404
    answer = wire("POST", "/v2/b/blobs/uploads/", params={"mount": digest, "from": "a"})
    assert (answer.status_code, answer.headers["Location"]) == (201, f"/v2/b/blobs/{digest}")
    assert wire("GET", f"/v2/b/blobs/{digest}").content == b"shared"


def test_tags_in_pages(wire: Client) -> None:
    for name in ("t1", "t2", "t3"):
        wire.push_image("team/app", name, b"layer")
    first = wire("GET", "/v2/team/app/tags/list", params={"n": 2})
    assert first.json() == {"name": "team/app", "tags": ["t1", "t2"]}
    following = first.headers["Link"].partition(">")[0].lstrip("<")
    assert wire("GET", following).json()["tags"] == ["t3"]
    assert wire("GET", "/v2/team/app/tags/list", params={"n": "x"}).status_code == 400
    assert wire("DELETE", "/v2/team/app/manifests/t1").status_code == 202
    assert wire("GET", "/v2/team/app/tags/list").json()["tags"] == ["t2", "t3"]


def test_referrers(wire: Client) -> None:
    subject = wire.push_image("a", "signed", b"program")
    wire.push_blob("a", EMPTY)
    body = manifest(EMPTY, EMPTY, artifactType="application/x.signature", annotations={"by": "me"})
    body["subject"] = {"mediaType": OCI_MANIFEST, "digest": subject, "size": 1}
    raw = json.dumps(body).encode()
    answer = wire.put_manifest("a", digest_of(raw), raw)
    assert (answer.status_code, answer.headers["OCI-Subject"]) == (201, subject)
    listed = wire("GET", f"/v2/a/referrers/{subject}")
    assert listed.headers["Content-Type"] == OCI_INDEX
    assert [each["digest"] for each in listed.json()["manifests"]] == [digest_of(raw)]
    assert listed.json()["manifests"][0]["annotations"] == {"by": "me"}
    filtered = wire("GET", f"/v2/a/referrers/{subject}", params={"artifactType": "other"})
    assert filtered.json()["manifests"] == []
    assert filtered.headers["OCI-Filters-Applied"] == "artifactType"
    assert wire("GET", f"/v2/a/referrers/{digest_of(b'nothing')}").json()["manifests"] == []


def test_index(wire: Client) -> None:
    image = wire.push_image("a", "one", b"for one platform")
    size = len(wire("GET", f"/v2/a/manifests/{image}").content)
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [{"digest": image, "size": size}]}
    assert wire.put_manifest("a", "multi", json.dumps(index).encode(), OCI_INDEX).status_code == 201
    assert wire("DELETE", f"/v2/a/manifests/{image}").status_code == 409
    index["manifests"] = [{"digest": digest_of(b"absent"), "size": 1}]
    assert wire.put_manifest("a", "multi", json.dumps(index).encode(), OCI_INDEX).status_code == 400


def test_manifest_without_its_blobs(wire: Client) -> None:
    answer = wire.put_manifest("a", "x", json.dumps(manifest(b"never pushed")).encode())
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "MANIFEST_BLOB_UNKNOWN"


def test_delete(wire: Client) -> None:
    digest = wire.push_image("b", "gone", b"gone layer")
    layer = digest_of(b"gone layer")
    assert wire("DELETE", f"/v2/b/blobs/{layer}").status_code == 409
    assert wire("DELETE", f"/v2/b/manifests/{digest}").status_code == 202
    assert wire("GET", "/v2/b/manifests/gone").status_code == 404
    assert wire("DELETE", f"/v2/b/blobs/{layer}").status_code == 202
    assert wire("GET", f"/v2/b/blobs/{layer}").status_code == 404


def test_catalog_is_for_those_who_manage(registry: Server, wire: Client) -> None:
    wire.push_image("a", "listed", b"layer")
    assert wire("GET", "/v2/_catalog").status_code == 401
    manager = Client(registry, "owner", "registry:catalog:*")
    assert "a" in manager("GET", "/v2/_catalog").json()["repositories"]
    plain = Client(registry, "pusher", "registry:catalog:*")
    assert plain("GET", "/v2/_catalog").status_code == 401


def test_unknown_address_and_method(registry: Server, wire: Client) -> None:
    assert wire("GET", "/v2/a/nonsense").status_code == 404
    assert wire("POST", "/v2/a/tags/list").status_code == 405
    assert requests.get(f"{registry.url}/v2/", timeout=5).headers["WWW-Authenticate"] == (
        f'Bearer realm="{registry.url}/v2/token",service="{registry.host}"'
    )
