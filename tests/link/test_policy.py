"""The host's own policy, seen from the control plane: a refusal names its rule."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.link.browser import closing, open_socket, until
from tests.link.stack import Stack
from tests.link.test_orders import docker


@pytest.fixture
def policy(stack: Stack, host: str) -> Iterator[Path]:
    path = stack.state(host) / "policy.toml"
    yield path
    path.unlink(missing_ok=True)


def test_a_privileged_container_is_refused_by_rule(
    stack: Stack, host: str, engine: str, name: str, policy: Path
) -> None:
    policy.write_text("privileged = false\n")
    args = {"id": str(uuid.uuid4()), "image": "lnk-busybox:1", "name": name, "pull": "never",
            "spec": {"HostConfig": {"Privileged": True}}}  # fmt: skip
    [ended] = stack.ended(stack.do("order", host, "container.create", args))
    assert ended["state"] == "failed"
    assert (ended["problem"]["status"], ended["problem"]["rule"]) == (403, "privileged")
    assert docker(engine, "ps", "-aq", "--filter", f"name={name}") == ""


async def test_a_shell_is_refused_by_rule(stack: Stack, host: str, engine: str, name: str, policy: Path) -> None:
    policy.write_text("exec = false\n")
    docker(engine, "run", "-d", "--name", name, "lnk-busybox:1", "sleep", "600")
    try:
        engine_id = docker(engine, "inspect", "-f", "{{.Id}}", name)
        container = stack.do("container", host, engine_id)
        owner = stack.do("user", "policed", "owner")
        async with await open_socket(stack, f"/ws/containers/{container}/attach?stdin=1", owner) as socket:
            problem = await until(socket, "problem")
            assert problem["code"] == "host_policy"
            assert "(rule: exec)" in problem["detail"]
            assert await closing(socket) == 4403
    finally:
        docker(engine, "rm", "-f", name)
