"""One container's life by REST and sockets, over a real link: what both halves of the control plane must agree on."""

import asyncio
from typing import Any

import requests

from tests.link.browser import open_socket, say, until
from tests.link.stack import Stack, wait_for
from tests.link.test_terminal_socket import output


class Rest:
    """A script with a token."""

    def __init__(self, stack: Stack, token: str) -> None:
        self.url, self.headers = stack.url, {"Authorization": f"Bearer {token}"}

    def __call__(self, method: str, path: str, body: Any = None, status: int = 200, **headers: str) -> Any:
        answer = requests.request(
            method, f"{self.url}/api/{path}", json=body, headers=self.headers | headers, timeout=40
        )
        assert answer.status_code == status, (method, path, answer.status_code, answer.text[:2000])
        return answer.json() if answer.content else None

    def order(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Something that a host must do, waited for."""
        ended = self(method, path, body, Prefer="wait=30")
        assert ended["state"] == "done", ended
        return ended


async def test_it_works(stack: Stack, host: str, engine: str, name: str) -> None:
    owner = stack.do("user", "storyteller", "owner")
    rest = Rest(stack, owner["token"])
    await asyncio.to_thread(story, stack, rest, host, name)
    found = (await asyncio.to_thread(rest, "GET", f"containers/?name={name}"))["results"][0]
    path = f"containers/{found['id']}/"
    async with await open_socket(stack, f"/ws/{path}logs?tail=all", owner) as socket:
        assert (await until(socket, "lines"))["lines"][0][2] == "hello"
    shell = await asyncio.to_thread(rest, "POST", f"{path}execs/", {"command": ["sh"], "tty": True}, 201)
    async with await open_socket(stack, f"/ws/{path}exec?exec={shell['id']}", owner) as socket:
        await say(socket, "resize", cols=80, rows=24)
        await until(socket, "ready")
        await socket.send(b"echo from-the-shell; exit\n")
        data, code = await output(socket)
        assert b"from-the-shell" in data
        assert code == 0
    run = await asyncio.to_thread(
        lambda: rest("POST", f"{path}execs/", {"command": ["sh", "-c", "echo out; exit 3"]}, Prefer="wait=10")
    )
    assert (run["exit_code"], run["output"]) == (3, "out\n")
    top = await asyncio.to_thread(rest, "GET", f"{path}top/")
    assert top["processes"]
    inspect = await asyncio.to_thread(rest, "GET", f"{path}inspect/")
    assert inspect["live"]
    await asyncio.to_thread(end_of_it, rest, path, name)


def story(stack: Stack, rest: Rest, host: str, name: str) -> None:
    host_id = stack.do("host", host)["id"]
    body = {"host": host_id, "image": "lnk-busybox:1", "pull": "never", "name": name, "start": True,
            "spec": {"Cmd": ["sh", "-c", "echo hello; sleep 600"]}}  # fmt: skip
    made = rest.order("POST", "containers/", body)
    assert made["result"]["engine_id"]

    def running() -> bool:
        return rest("GET", f"containers/?name={name}")["results"][0]["state"] == "running"

    wait_for(running, 30, "the page would not show it running")


def end_of_it(rest: Rest, path: str, name: str) -> None:
    for verb, body in (
        ("pause", {}),
        ("unpause", {}),
        ("restart", {"timeout": 0}),
        ("stop", {"timeout": 0}),
        ("start", {}),
    ):
        rest.order("POST", f"{path}{verb}/", body)
    rest.order("PATCH", path, {"name": f"{name}-b"})
    wait_for(lambda: rest("GET", path)["name"] == f"{name}-b", 30, "the new name is not shown")
    rest.order("DELETE", f"{path}?force=true")
    wait_for(lambda: not rest("GET", f"containers/?name={name}-b")["results"], 30, "it is still listed")
    history = rest("GET", f"{path}history/")["results"]
    assert {"container.create", "container.restart", "container.remove"} <= {one.get("op") for one in history}


def test_volumes_networks_images_and_the_host(stack: Stack, host: str, name: str) -> None:
    rest = Rest(stack, stack.do("user", "storyteller-2", "owner")["token"])
    host_id = stack.do("host", host)["id"]
    for noun in ("volumes", "networks"):
        rest.order("POST", f"{noun}/", {"host": host_id, "name": name})

        def listed(noun: str = noun) -> Any:
            return [one for one in rest("GET", f"{noun}/?name={name}")["results"] if one.get("state") == "present"]

        found = wait_for(listed, 30, f"{noun} are not reported")[0]
        rest.order("DELETE", f"{noun}/{found['id']}/" + (f"?confirm={name}" if noun == "volumes" else ""))
        wait_for(lambda noun=noun: not rest("GET", f"{noun}/?name={name}")["results"], 30, f"{noun} are still listed")
    images = wait_for(lambda: rest("GET", "images/?search=lnk-busybox")["results"], 30, "no image was reported")
    assert any("lnk-busybox:1" in str(one) for one in images)
    detail = rest("GET", f"hosts/{host_id}/")
    assert detail["state"] == "online"
    assert detail["engine"]["version"]
    rest.order("POST", f"hosts/{host_id}/refresh/", {})
