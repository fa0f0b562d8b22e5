"""hostile-input rows R7 to R11 of the registry."""

import base64
import json
import signal
import socket
import threading
import time

import jwt
import pytest
import requests

from tests.controlplane.registry.conftest import EMPTY, OCI_INDEX, OCI_MANIFEST, Client, Server, digest_of, manifest


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"manifests": []}, OCI_MANIFEST),
        ({"mediaType": OCI_INDEX, "manifests": []}, OCI_INDEX),
        ({"mediaType": None}, OCI_MANIFEST),
        ({}, OCI_INDEX),
        ({"schemaVersion": 1}, OCI_MANIFEST),
        ({"layers": [{"digest": "md5:x", "size": 1}]}, OCI_MANIFEST),
        ({"layers": [{"digest": digest_of(b""), "size": -1}]}, OCI_MANIFEST),
        ({"layers": [{"digest": digest_of(b""), "size": 0}] * 1001}, OCI_MANIFEST),
    ],
)
def test_r7_r8_ambiguous_documents(wire: Client, change: dict, kind: str) -> None:
    wire.push_blob("a", EMPTY)
    answer = wire.put_manifest("a", "bad", json.dumps(manifest(EMPTY) | change).encode(), kind)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "MANIFEST_INVALID"
    assert wire("GET", "/v2/a/manifests/bad").status_code == 404


def test_r9_large_manifest(wire: Client) -> None:
    body = json.dumps(manifest(EMPTY) | {"annotations": {"x": "y" * (4 << 20)}}).encode()
    assert wire.put_manifest("a", "large", body).status_code == 413


def test_r9_digest_mismatch(wire: Client) -> None:
    wrong = digest_of(b"something else")
    answer = wire("POST", "/v2/a/blobs/uploads/", params={"digest": wrong}, data=b"content")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "DIGEST_INVALID")
    at = wire("POST", "/v2/a/blobs/uploads/").headers["Location"]
    wire("PATCH", at, data=b"content")
    assert wire("PUT", at, params={"digest": wrong}).status_code == 400
    assert wire("HEAD", f"/v2/a/blobs/{wrong}").status_code == 404
    assert wire("HEAD", f"/v2/a/blobs/{digest_of(b'content')}").status_code == 404
    assert wire("PUT", at, params={"digest": "sha512:zz"}).status_code in (400, 404)
    answer = wire.put_manifest("a", digest_of(b"other"), json.dumps(manifest(EMPTY)).encode())
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "DIGEST_INVALID")


def test_r9_out_of_order_range(wire: Client) -> None:
    at = wire("POST", "/v2/a/blobs/uploads/").headers["Location"]
    assert wire("PATCH", at, data=b"12345", headers={"Content-Range": "0-4"}).status_code == 202
    for given in ("0-4", "6-10", "4-8", "nonsense", "5-4"):
        answer = wire("PATCH", at, data=b"67890", headers={"Content-Range": given})
        assert answer.status_code == 416, given
        assert answer.headers["Range"] == "0-4"
    assert wire("PATCH", at, data=b"67", headers={"Content-Range": "5-9"}).status_code == 400
    assert wire("PATCH", at, data=b"67890", headers={"Content-Range": "5-9"}).status_code == 202
    assert wire("PUT", at, params={"digest": digest_of(b"1234567890")}).status_code == 201


def test_r9_two_patches_at_once(wire: Client) -> None:
    at = wire("POST", "/v2/a/blobs/uploads/").headers["Location"]
    chunks = [bytes([number]) * 2_000_000 for number in range(2)]
    answers: dict[int, int] = {}

    def send(number: int) -> None:
        answers[number] = wire("PATCH", at, data=chunks[number]).status_code

    threads = [threading.Thread(target=send, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if sorted(answers.values()) == [202, 202]:  # one after the other, after all
        assert wire("GET", at).headers["Range"] == "0-3999999"
        return
    assert sorted(answers.values()) == [202, 416]
    assert wire("GET", at).headers["Range"] == "0-1999999"
    winner = next(number for number, status in answers.items() if status == 202)
    assert wire("PUT", at, params={"digest": digest_of(chunks[winner])}).status_code == 201


def test_r9_upload_of_another_repository(wire: Client) -> None:
    at = wire("POST", "/v2/a/blobs/uploads/").headers["Location"]
    elsewhere = at.replace("/v2/a/", "/v2/b/")
    assert wire("PATCH", elsewhere, data=b"x").status_code == 404
    assert wire("PUT", elsewhere, params={"digest": digest_of(b"")}).status_code == 404
    assert wire("PATCH", "/v2/a/blobs/uploads/not-a-uuid", data=b"x").status_code == 404


def test_r9_mount_without_pull_right(registry: Server, wire: Client) -> None:
    digest = wire.push_blob("a", b"not for everybody")
    other = Client(registry, "owner", "repository:b:pull,push")
    answer = other("POST", "/v2/b/blobs/uploads/", params={"mount": digest, "from": "a"})
    assert answer.status_code == 202
    assert "/blobs/uploads/" in answer.headers["Location"]
    assert other("HEAD", f"/v2/b/blobs/{digest}").status_code == 404


def claims(registry: Server, **changes) -> dict:
    now = int(time.time())
    access = [{"type": "repository", "name": "a", "actions": ["pull", "push"]}]
    return {
        "iss": registry.url, "aud": registry.host, "sub": "x", "name": "x", "iat": now, "nbf": now, "exp": now + 60,
        "jti": "1", "access": access,
    } | changes  # fmt: skip


def signing_key(registry: Server) -> bytes:
    return bytes.fromhex(
        registry.manage(
            "from controlplane.registry import tokens; from django.conf import settings\n"
            "print(tokens._key(settings.SECRET_KEY).hex())"
        )
    )


def test_r10_forged_tokens(registry: Server, wire: Client) -> None:
    wire.push_image("a", "v1", b"layer")
    key, now = signing_key(registry), int(time.time())
    good = jwt.encode(claims(registry), key, algorithm="HS256")
    unsigned = ".".join(
        base64.urlsafe_b64encode(part).rstrip(b"=").decode()
        for part in (b'{"alg":"none","typ":"JWT"}', json.dumps(claims(registry)).encode(), b"")
    )
    bad = {
        "alg none": unsigned,
        "another key": jwt.encode(claims(registry), b"k" * 32, algorithm="HS256"),
        "another algorithm": jwt.encode(claims(registry), key, algorithm="HS384"),
        "other audience": jwt.encode(claims(registry, aud="other"), key, algorithm="HS256"),
        "other issuer": jwt.encode(claims(registry, iss="http://other"), key, algorithm="HS256"),
        "expired": jwt.encode(claims(registry, exp=now - 60), key, algorithm="HS256"),
        "not yet": jwt.encode(claims(registry, nbf=now + 60), key, algorithm="HS256"),
        "no expiry": jwt.encode({k: v for k, v in claims(registry).items() if k != "exp"}, key, algorithm="HS256"),
        "cut": good[:-4],
        "nothing": "",
        "long": "x" * 20_000,
    }
    for name, token in bad.items():
        answer = requests.get(
            f"{registry.url}/v2/a/manifests/v1", headers={"Authorization": f"Bearer {token}"}, timeout=10
        )
        assert answer.status_code == 401, name
        assert 'scope="repository:a:pull"' in answer.headers["WWW-Authenticate"]
    headers = {"Authorization": f"Bearer {good}"}
    assert requests.get(f"{registry.url}/v2/a/manifests/v1", headers=headers, timeout=10).status_code == 200


def test_r10_scopes(registry: Server, wire: Client) -> None:
    wire.push_image("b", "v1", b"layer")
    reader = Client(registry, "owner", "repository:a:pull")
    assert reader("POST", "/v2/a/blobs/uploads/").status_code == 401
    assert reader("GET", "/v2/b/manifests/v1").status_code == 401
    plain = Client(registry, "viewer", "repository:b:*", "registry:catalog:*")
    assert plain("GET", "/v2/b/manifests/v1").status_code == 200
    assert plain("POST", "/v2/b/blobs/uploads/").status_code == 401
    assert plain("DELETE", "/v2/b/manifests/v1").status_code == 401
    assert Client(registry, "pusher", "repository:b:*")("DELETE", "/v2/b/manifests/v1").status_code == 401
    assert Client(registry, "nobody", "repository:b:pull")("GET", "/v2/b/manifests/v1").status_code == 401


@pytest.mark.parametrize("name", ["../x", "%2e%2e/x", "%2e%2e", "a/../b", "a//b", "A", "a/", "x" * 300])
def test_r10_repository_names(registry: Server, name: str) -> None:
    client = Client(registry, "owner", f"repository:{name}:pull,push", f"repository:{requests.utils.unquote(name)}:*")
    with socket.create_connection(("127.0.0.1", registry.port)) as raw:
        raw.sendall(
            f"POST /v2/{name}/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.token}\r\n"
            "Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        status = raw.makefile().readline().split()[1]
    assert status in ("401", "403")


def test_r10_wrong_password(registry: Server) -> None:
    for who in (("owner", "wrong"), ("stranger", "correct horse"), ("", "")):
        answer = requests.get(f"{registry.url}/v2/token", auth=who, timeout=10)
        assert answer.status_code == 401
        assert "correct horse" not in answer.text
    assert requests.get(f"{registry.url}/v2/token", timeout=10).status_code == 401


def test_r11_kill_in_the_middle_of_an_upload(registry: Server, wire: Client) -> None:
    wire.push_image("a", "before", b"old layer")
    at = wire("POST", "/v2/a/blobs/uploads/").headers["Location"]
    assert wire("PATCH", at, data=b"whole chunk").status_code == 202
    with socket.create_connection(("127.0.0.1", registry.port)) as raw:
        raw.sendall(
            f"PATCH {at} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {wire.token}\r\n"
            "Content-Length: 1000000\r\n\r\nhalf a chunk".encode()
        )
        time.sleep(0.3)
        registry.stop(signal.SIGKILL)
    registry.start()
    assert wire("GET", "/v2/a/manifests/before").status_code == 200
    assert wire("GET", f"/v2/a/blobs/{digest_of(b'old layer')}").content == b"old layer"
    assert wire("GET", at).headers["Range"] == f"0-{len(b'whole chunk') - 1}"
    assert wire("PUT", at, params={"digest": digest_of(b"whole chunk, rest")}, data=b", rest").status_code == 201
    collect(registry, "datetime.timedelta(seconds=-60)")
    assert not [path for path in (registry.data / "registry" / "uploads").rglob("*") if path.is_file()]


def test_r11_collector_beside_a_push(registry: Server, wire: Client) -> None:
    kept = wire.push_image("gc", "kept", b"kept layer")
    dropped = wire.push_image("gc", "dropped", b"dropped layer")
    lone = wire.push_blob("gc", b"pushed, its manifest comes next")
    assert wire("DELETE", f"/v2/gc/manifests/{dropped}").status_code == 202
    collect(registry, "datetime.timedelta(hours=1)")
    assert wire("HEAD", f"/v2/gc/blobs/{lone}").status_code == 200
    assert wire("HEAD", f"/v2/gc/blobs/{digest_of(b'dropped layer')}").status_code == 200
    at = wire("POST", "/v2/gc/blobs/uploads/").headers["Location"]
    collect(registry, "datetime.timedelta(seconds=-60)")
    assert wire("GET", at).status_code == 404
    assert wire("HEAD", f"/v2/gc/blobs/{digest_of(b'dropped layer')}").status_code == 404
    assert wire("GET", f"/v2/gc/manifests/{kept}").status_code == 200
    assert wire("GET", f"/v2/gc/blobs/{digest_of(b'kept layer')}").content == b"kept layer"
    wire.push_image("gc", "again", b"dropped layer")
    assert wire("GET", f"/v2/gc/blobs/{digest_of(b'dropped layer')}").content == b"dropped layer"


def collect(registry: Server, grace: str) -> None:
    registry.manage(
        "import asyncio, datetime\n"
        "from controlplane.registry.gc import collect\n"
        "from controlplane.registry.storage import BlobStorage\n"
        "from controlplane.settings import HERE\n"
        f"asyncio.run(collect(BlobStorage.on_disk(HERE.data / 'registry'), {grace}))\n"
        "import os; os._exit(0)"  # obstore's threads may outlive the interpreter, and abort it
    )
