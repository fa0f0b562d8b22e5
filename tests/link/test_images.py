"""Builds with a context that crosses the link, and our own registry with tokens that orders carry."""

import hashlib
import io
import tarfile
from pathlib import Path

from tests.link.stack import Stack
from tests.link.test_orders import docker


def context(stack: Stack, dockerfile: str) -> str:
    """A build context in the control plane's store; its digest."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in (("Dockerfile", dockerfile.encode()), ("big", bytes(3_000_000))):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    digest = hashlib.sha256(out.getvalue()).hexdigest()
    folder = Path(stack.env["LONGSHORE_DATA"]) / "contexts"
    folder.mkdir(mode=0o700, exist_ok=True, parents=True)
    (folder / digest).write_bytes(out.getvalue())
    return digest


def test_a_build_on_dockerd(stack: Stack, host: str, engine: str, name: str) -> None:
    digest = context(stack, "FROM lnk-busybox:1\nCOPY big /big\nENV A=b\n")
    args = {"context": digest, "tags": [f"{name}:1"], "query": {"labels": {"x": "y"}}}
    [built] = stack.ended(stack.do("order", host, "image.build", args), seconds=60)
    try:
        assert built["state"] == "done", built
        assert built["result"]["image_id"].startswith("sha256:")
        assert any("Step 1/" in line for line in built["lines"])
        assert docker(engine, "inspect", "-f", "{{.Config.Labels.x}}", f"{name}:1") == "y"
        assert not list((stack.state(host) / "contexts").iterdir())
    finally:
        docker(engine, "rmi", "-f", f"{name}:1")


def test_a_build_that_fails_says_where(stack: Stack, host: str, name: str) -> None:
    digest = context(stack, "FROM lnk-busybox:1\nCOPY nothing /x\n")
    [failed] = stack.ended(stack.do("order", host, "image.build", {"context": digest, "tags": [name]}), seconds=60)
    assert failed["state"] == "failed"
    assert "nothing" in failed["problem"]["detail"]


def test_a_context_that_is_gone_or_changed_is_told(stack: Stack, host: str, name: str) -> None:
    digest = context(stack, f"FROM lnk-busybox:1\nENV N={name}\n")
    path = Path(stack.env["LONGSHORE_DATA"]) / "contexts" / digest
    path.write_bytes(b"something else")
    [changed] = stack.ended(stack.do("order", host, "image.build", {"context": digest}), seconds=30)
    assert (changed["state"], changed["problem"]["status"]) == ("failed", 502)
    path.unlink()
    [gone] = stack.ended(stack.do("order", host, "image.build", {"context": digest}), seconds=30)
    assert (gone["state"], gone["problem"]["status"]) == ("failed", 404)


def test_push_and_pull_by_tokens_that_orders_carry(own: Stack, own_engine: str, name: str) -> None:
    reference = f"127.0.0.1:{own.port}/team/{name}:1"
    for op, args in (
        ("image.tag", {"image": "lnk-busybox:1", "reference": reference}),
        ("image.push", {"reference": reference}),
        ("image.remove", {"image": reference}),
        ("image.pull", {"reference": reference}),
    ):
        [ended] = own.ended(own.do("order", "h", op, args), seconds=60)
        assert ended["state"] == "done", (op, ended)
    assert reference in docker(own_engine, "images", "--format", "{{.Repository}}:{{.Tag}}")
    [removed] = own.ended(own.do("order", "h", "image.remove", {"image": reference}))
    build = {"context": context(own, f"FROM {reference}\nENV A=b\n"), "tags": [f"{name}:2"]}
    refused, built = own.ended(
        own.do("order", "h", "image.build", build),
        own.do("order", "h", "image.build", {**build, "bases": [reference]}),
        seconds=60,
    )
    assert (removed["state"], refused["state"], built["state"]) == ("done", "failed", "done"), (refused, built)
    journal = (own.state("h") / "orders.sqlite3").read_bytes() + (own.state("h") / "orders.sqlite3-wal").read_bytes()
    assert b"registrytoken" not in journal
    assert "registrytoken" not in own.agents["h"].text + own.web.text + own.worker.text


def test_a_build_on_our_engine(own: Stack, own_engine: str, name: str) -> None:
    digest = context(own, "FROM lnk-busybox:1\nCOPY big /big\nRUN echo hi > /hi\n")
    [built] = own.ended(own.do("order", "h", "image.build", {"context": digest, "tags": [f"{name}:1"]}), seconds=60)
    assert built["state"] == "done", built
    assert docker(own_engine, "run", "--rm", "--network", "none", f"{name}:1", "cat", "/hi") == "hi"
