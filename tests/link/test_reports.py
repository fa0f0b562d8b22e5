"""What the engine does by itself comes up: records, events, last exits."""

from tests.link.stack import Stack, wait_for
from tests.link.test_orders import docker


def state_of(stack: Stack, host: str, name: str) -> str:
    return next((row["state"] for row in stack.do("containers", host) if row["name"] == name), "")


def test_it_works(stack: Stack, host: str, engine: str, name: str) -> None:
    docker(engine, "run", "-d", "--name", name, "lnk-busybox:1", "sh", "-c", "echo last words; sleep 600")
    try:
        wait_for(lambda: state_of(stack, host, name) == "running", 30, "the container was not reported")
        docker(engine, "kill", name)
        wait_for(lambda: state_of(stack, host, name) == "exited", 30, "its end was not reported")

        def last_exit() -> dict[str, object] | None:
            return next(row["last_exit"] for row in stack.do("containers", host) if row["name"] == name)

        found = wait_for(last_exit, 30, "no last exit")
        assert found["code"] == 137
        assert [line[2] for line in found["log_tail"]] == ["last words"]
    finally:
        docker(engine, "rm", "-f", name)
    wait_for(lambda: state_of(stack, host, name) in {"removed", ""}, 30, "its removal was not reported")

    def actions() -> list[str]:
        mine = [event["action"] for event in stack.do("events", host) if event["attributes"].get("name") == name]
        return [action for action in mine if action in {"create", "start", "die", "destroy"}]

    # the record changes first
    wait_for(lambda: "destroy" in actions(), 30, "its removal was not told")
    assert actions() == ["create", "start", "die", "destroy"]


def test_a_container_that_removes_itself_leaves_its_last_lines(stack: Stack, host: str, engine: str, name: str) -> None:
    docker(engine, "run", "--rm", "--name", name, "lnk-busybox:1", "sh", "-c", "echo gone; sleep 1; exit 3")

    def row() -> dict[str, object] | None:
        return next((one for one in stack.do("containers", host) if one["name"] == name and one["last_exit"]), None)

    found = wait_for(row, 30, "no last exit")
    assert found["last_exit"]["code"] == 3
    assert [line[2] for line in found["last_exit"]["log_tail"]] == ["gone"]


def test_the_host_says_what_it_is(stack: Stack, host: str) -> None:
    # what it said last may be of another test's policy
    stack.do("order", host, "host.refresh", {})
    policy = {"read_only": False, "privileged": True, "exec": True, "bind_paths": None, "broken": ""}
    wait_for(lambda: stack.do("host", host)["policy"] == policy, 30, lambda: str(stack.do("host", host)))
    found = wait_for(lambda: stack.do("host", host)["engine"].get("version") and stack.do("host", host), 30)
    assert found["engine"]["name"] == "dockerd"
    assert found["facts"]["cpus"] >= 1
