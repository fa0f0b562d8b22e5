"""Orders from the control plane to an engine and back."""

import subprocess
import uuid
from collections.abc import Iterator

import pytest

from tests.link.stack import Stack, wait_for


def docker(engine: str, *words: str) -> str:
    done = subprocess.run(["docker", "-H", engine, *words], capture_output=True, text=True, check=False, timeout=60)
    return done.stdout.strip()


@pytest.fixture
def gone(engine: str, name: str) -> Iterator[str]:
    yield name
    docker(engine, "rm", "-f", name)


def create(stack: Stack, host: str, name: str, *command: str, start: bool = True, **spec: object) -> str:
    args = {"id": str(uuid.uuid4()), "image": "lnk-busybox:1", "name": name, "start": start, "pull": "never",
            "spec": {"Cmd": list(command) or ["sleep", "600"], **spec}}  # fmt: skip
    return stack.do("order", host, "container.create", args)


def test_it_works(stack: Stack, host: str, engine: str, gone: str) -> None:
    [done] = stack.ended(create(stack, host, gone))
    assert done["state"] == "done", done
    engine_id = done["result"]["engine_id"]
    assert docker(engine, "inspect", "-f", "{{.State.Running}} {{.Name}}", engine_id) == f"true /{gone}"
    labels = docker(engine, "inspect", "-f", "{{json .Config.Labels}}", engine_id)
    assert done["id"] in labels
    target = {"engine_id": engine_id}
    steps = [("container.pause", {}, "paused"), ("container.unpause", {}, "running"),
             ("container.restart", {"timeout": 0}, "running"), ("container.stop", {"timeout": 0}, "exited"),
             ("container.start", {}, "running"), ("container.kill", {"signal": "KILL"}, "exited")]  # fmt: skip
    for op, more, state in steps:
        [done] = stack.ended(stack.do("order", host, op, {**target, **more}))
        assert done["state"] == "done", (op, done)
        wait_for(lambda state=state: docker(engine, "inspect", "-f", "{{.State.Status}}", engine_id) == state, 5, op)
    [renamed] = stack.ended(stack.do("order", host, "container.rename", {**target, "name": f"{gone}-2"}))
    assert renamed["state"] == "done"
    [removed] = stack.ended(stack.do("order", host, "container.remove", {**target, "force": True}))
    assert removed["state"] == "done"
    assert docker(engine, "ps", "-aq", "--filter", f"id={engine_id}") == ""


def test_orders_for_one_container_run_in_sequence(stack: Stack, host: str, engine: str, gone: str) -> None:
    made = create(stack, host, gone, start=False)
    container = stack.do("orders", [made])[0]
    args = {"engine_id": gone}
    ids = [made]
    for op in ("container.start", "container.pause", "container.unpause", "container.remove"):
        ids.append(stack.do("order", host, op, args | ({"force": True} if op.endswith("remove") else {})))
    states = [one["state"] for one in stack.ended(*ids)]
    assert container["seq"] > 0
    # the engine's name is another lane than the record's id, so create may come last; the rest keep their order
    assert set(states[1:]) <= {"done", "failed"}


def test_a_missing_image_ends_with_the_engines_words(stack: Stack, host: str, gone: str) -> None:
    args = {"id": str(uuid.uuid4()), "image": "lnk-nothing:1", "name": gone, "pull": "never", "spec": {}}
    [ended] = stack.ended(stack.do("order", host, "container.create", args))
    assert ended["state"] == "failed"
    assert ended["problem"]["status"] == 404
    assert "No such image" in ended["problem"]["detail"]


def test_a_name_cannot_lead_to_another_call(stack: Stack, host: str) -> None:
    [ended] = stack.ended(stack.do("order", host, "image.remove", {"image": "../containers/x"}))
    assert (ended["state"], ended["problem"]["code"]) == ("failed", "invalid")


def test_volumes_and_networks(stack: Stack, host: str, engine: str, name: str) -> None:
    for noun, args in (("volume", {"name": name, "labels": {"a": "b"}}), ("network", {"name": name, "network": {}})):
        [made] = stack.ended(stack.do("order", host, f"{noun}.create", args))
        assert made["state"] == "done", made
        assert made["id"] in docker(engine, noun, "inspect", name)
        [twice] = stack.ended(stack.do("order", host, f"{noun}.create", args))
        assert (twice["state"], twice["problem"]["status"]) == ("failed", 409)
        [gone] = stack.ended(stack.do("order", host, f"{noun}.remove", {"name": name}))
        assert gone["state"] == "done"
        [again] = stack.ended(stack.do("order", host, f"{noun}.remove", {"name": name}))
        assert (again["state"], again["problem"]["status"]) == ("failed", 404)


def test_a_cancelled_order_has_no_effect(stack: Stack, host: str, engine: str, name: str) -> None:
    order = stack.do("order", host, "volume.create", {"name": name}, ring=False)
    assert stack.do("cancel", order) in {"cancelled", "sent", "running", "done"}
