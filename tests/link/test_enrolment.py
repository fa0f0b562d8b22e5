"""E1, E2: a join string works once, for one host, in time."""

import asyncio
import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from agent.link.keys import HostKey
from agent.protocol.versions import agent_statement
from tests.link.rogue import Rogue, enrol_request
from tests.link.stack import Stack


@pytest.fixture(autouse=True)
def fresh(stack: Stack) -> None:
    stack.do("forget_attempts")


def new_key() -> HostKey:
    return HostKey(Ed25519PrivateKey.generate())


def post(stack: Stack, body: object) -> requests.Response:
    """What is answered; a database that is busy asks to come again."""
    while True:
        answer = requests.post(f"{stack.url}/agent/v1/enrol", json=body, timeout=60)
        if answer.status_code != 503:
            return answer
        time.sleep(0.2)


def test_it_works(stack: Stack, name: str) -> None:
    done = stack.enrol(name)
    assert done.returncode == 0, done.stderr
    state = stack.state(name)
    assert (state / "host.key").stat().st_mode & 0o777 == 0o600
    assert (state / "agent.toml").stat().st_mode & 0o777 == 0o600
    assert stack.do("host", name)["state"] == "pending"


def test_e1_one_of_many_at_once_succeeds(stack: Stack, name: str) -> None:
    join = stack.do("join", name)
    first_minute = time.time() // 60
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: post(stack, enrol_request(join, new_key())).status_code, range(50)))
    minutes = time.time() // 60 - first_minute + 1
    assert answers.count(200) == 1
    assert set(answers) <= {200, 403, 429}
    # ten tries a minute from one address, with whatever came from it just before
    assert answers.count(429) >= 50 - 10 * minutes


def test_e1_a_second_use_is_refused(stack: Stack, name: str) -> None:
    join = stack.do("join", name)
    assert stack.enrol(name, join).returncode == 0
    second = stack.enrol(f"{name}-b", join)
    assert second.returncode == 1
    assert "not valid any more" in second.stderr
    assert not (stack.state(f"{name}-b") / "agent.toml").exists()


def test_e1_expired_and_unknown_have_one_answer(stack: Stack, name: str) -> None:
    expired = post(stack, enrol_request(stack.do("join", name, minutes=-1), new_key()))
    unknown = post(stack, enrol_request(f"{stack.url}#{'0' * 64}#{'x' * 43}", new_key()))
    assert expired.status_code == unknown.status_code == 403
    assert expired.json()["detail"] == unknown.json()["detail"]


def test_e1_a_token_is_for_its_own_host(stack: Stack, name: str) -> None:
    join = stack.do("join", name)
    stack.do("join", f"{name}-b")
    key = new_key()
    assert post(stack, enrol_request(join, key) | {"host": f"{name}-b"}).status_code == 400
    assert post(stack, enrol_request(join, key)).status_code == 200
    assert stack.do("host", f"{name}-b")["state"] == "pending"
    assert stack.do("counts")["spent"] >= 1


@pytest.mark.parametrize("join", [" ", "x", "http://127.0.0.1#aa#bb", "http://10.0.0.1#" + "0" * 64 + "#" + "x" * 43])
def test_e1_a_cut_or_unsafe_string_never_leaves_the_host(stack: Stack, name: str, join: str) -> None:
    done = stack.enrol(name, join)
    assert done.returncode == 1
    assert "not enrolled" in done.stderr


@pytest.mark.parametrize(
    "changes",
    [{"sig": "AAAA"}, {"public_key": "00"}, {"facts": "{}"}, {"token": 5}, {"sig": "*"}, {"facts": "[" * 9000}],
)
def test_e1_a_bad_request_spends_nothing(stack: Stack, name: str, changes: dict[str, object]) -> None:
    join = stack.do("join", name)
    key = new_key()
    assert post(stack, enrol_request(join, key, **changes)).status_code == 400
    assert post(stack, enrol_request(join, key)).status_code == 200


def test_the_control_plane_must_have_the_key_of_the_string(stack: Stack, name: str) -> None:
    url, _, token = stack.do("join", name).split("#")
    done = stack.enrol(name, f"{url}#{'1' * 64}#{token}")
    assert done.returncode == 1
    assert "nothing was changed" in done.stderr
    assert not (stack.state(name) / "agent.toml").exists()


def test_e2_a_replayed_enrolment_is_refused(stack: Stack, name: str) -> None:
    body = enrol_request(stack.do("join", name), new_key())
    assert post(stack, body).status_code == 200
    assert post(stack, body).status_code == 403


async def test_e2_a_replayed_handshake_is_refused(stack: Stack, name: str) -> None:
    await asyncio.to_thread(stack.enrol, name)
    url = stack.url.replace("http", "ws") + "/agent/v1/link"
    rogue = Rogue(stack.state(name))
    async with connect(url) as first:
        greeting = json.loads(await first.recv())
        statement = agent_statement(rogue.identity.host_id, stack.url, greeting["spki"], greeting["nonce"], "b")
        captured = json.dumps({"host_id": rogue.identity.host_id, "boot_id": "b", "protocol": 1,
                               "sig": base64.b64encode(rogue.key.sign(statement)).decode()})  # fmt: skip
        await first.send(captured)
        assert json.loads(await first.recv())["type"] == "hello"
    async with connect(url) as second:
        await second.recv()
        await second.send(captured)
        await asyncio.wait_for(second.wait_closed(), 30)
        assert second.close_code == 4401


async def test_a_browser_is_not_let_in(stack: Stack) -> None:
    url = stack.url.replace("http", "ws") + "/agent/v1/link"
    for headers in ({"Origin": stack.url}, {"Cookie": "sessionid=x"}):
        with pytest.raises(InvalidStatus) as caught:
            await connect(url, additional_headers=headers)
        assert caught.value.response.status_code == 403


async def test_silence_in_the_handshake_is_closed(stack: Stack) -> None:
    async with connect(stack.url.replace("http", "ws") + "/agent/v1/link") as socket:
        await socket.recv()
        await asyncio.wait_for(socket.wait_closed(), 12)
        assert socket.close_code == 4401
