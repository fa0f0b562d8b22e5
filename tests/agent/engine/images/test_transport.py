"""Where a registry may send us (R4, R5), judged without the network."""

import pytest
from yarl import URL

from agent.engine.errors import Denied
from agent.engine.registry.auth import parse_challenges
from agent.engine.registry.client import Registries
from agent.engine.registry.transport import Transport, kind_of, may_reach


class Answer:
    """A response with a status and a Location."""

    def __init__(self, location: str = "") -> None:
        self.status = 307 if location else 200
        self.headers = {"Location": location} if location else {}

    def release(self) -> None:
        pass


@pytest.fixture
async def transport(monkeypatch):
    async with Transport(URL("https://reg.example:5000"), verify=False) as made:
        made.sent, made.plan = [], []

        async def send(method, url, headers, data):
            made.sent.append((str(url), dict(headers)))
            return made.plan.pop(0)

        monkeypatch.setattr(made, "_send", send)
        yield made


async def test_R4_from_https_to_http(transport):
    transport.plan = [Answer("http://reg.example:5000/x"), Answer()]
    with pytest.raises(Denied, match="from https to"):
        await transport.request("GET", URL("https://reg.example:5000/v2/a"))
    assert len(transport.sent) == 1


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        ("/other", True),
        ("https://cdn.example/x", False),
        ("https://reg.example/x", False),
        ("//reg.example:5001/x", False),
    ],
)
async def test_R4_authorization(transport, target, kept):
    transport.plan = [Answer(target), Answer()]
    await transport.request("GET", URL("https://reg.example:5000/v2/a"), headers={"Authorization": "Basic x"})
    assert ("Authorization" in transport.sent[1][1]) == kept


async def test_R4_authorization_does_not_come_back(transport):
    transport.plan = [Answer("https://cdn.example/x"), Answer("https://reg.example:5000/y"), Answer()]
    await transport.request("GET", URL("https://reg.example:5000/v2/a"), headers={"Authorization": "Basic x"})
    assert "Authorization" not in transport.sent[2][1]


async def test_R4_hops(transport):
    transport.plan = [Answer("/again") for _ in range(9)]
    with pytest.raises(Denied, match="after 5 redirects"):
        await transport.request("GET", URL("https://reg.example:5000/v2/a"))


async def test_messages_hide_signatures(transport):
    transport.plan = [Answer("https://cdn.example/x?signature=canary"), Answer("http://cdn.example/y?signature=canary")]
    with pytest.raises(Denied) as caught:
        await transport.request("GET", URL("https://reg.example:5000/v2/a"))
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"), ("::1", "loopback"), ("::ffff:127.0.0.1", "loopback"), ("169.254.169.254", "link"),
        ("fe80::1%eth0", "link"), ("::ffff:169.254.169.254", "link"), ("10.1.2.3", "private"),
        ("192.168.1.1", "private"), ("fd00::1", "private"), ("0.0.0.0", "private"),
        ("100.64.0.1", "private"), ("224.0.0.1", "private"),
        ("8.8.8.8", "public"), ("2606:4700::1111", "public"),
    ],
)  # fmt: skip
def test_kinds(address, kind):
    assert kind_of(address) == kind


def test_R4_who_may_reach_whom():
    kinds = ["public", "private", "loopback", "link"]
    allowed = {(one, other) for one in kinds for other in kinds if may_reach(one, other)}
    assert allowed == {(kind, "public") for kind in kinds} | {(kind, kind) for kind in kinds} | {
        ("loopback", "private")
    }


def test_insecure():
    registries = Registries(("10.0.0.0/8", "reg.example:5000", "plain.example"))
    for domain in ("127.0.0.1:5000", "localhost:1", "[::1]:5000", "10.2.3.4:80", "reg.example:5000", "plain.example:7"):
        assert registries.is_insecure(domain), domain
    for domain in ("docker.io", "reg.example", "11.0.0.1", "127.0.0.1.example"):
        assert not registries.is_insecure(domain), domain


def test_challenges():
    found = parse_challenges(['Basic realm="x", Bearer realm="https://a/t",service="s",scope="repository:a:pull,push"'])
    assert [challenge.scheme for challenge in found] == ["bearer", "basic"]
    assert found[0].parameters == {"realm": "https://a/t", "service": "s", "scope": "repository:a:pull,push"}
    assert parse_challenges(["Negotiate", ""]) == []
