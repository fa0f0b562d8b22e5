"""The routes of images over a unix socket, in dockerd's statuses and words."""

import json
import urllib.parse
from contextlib import asynccontextmanager

import aiohttp
import pytest

from agent.engine.api.routers import distribution, images
from agent.engine.api.server import application, listen
from agent.engine.errors import NotFound
from agent.engine.state.records import ContainerRecord, State, Status
from tests.agent.engine.images.archives import entry, tar
from tests.agent.engine.images.conftest import free_port


class FakeContainers:
    """One container, and what was asked of it."""

    def __init__(self):
        self.record: ContainerRecord | None = None
        self.asked: list[str] = []

    def lookup(self, ref):
        if self.record is None:
            raise NotFound(f"No such container: {ref}")
        return self.record

    @asynccontextmanager
    async def frozen(self, ref):
        self.asked.append("pause")
        yield
        self.asked.append("unpause")


@pytest.fixture
def containers():
    return FakeContainers()


@pytest.fixture
async def http(stores, containers, tmp_path):
    runner = await listen(
        application([*images.routes(stores.images, containers), *distribution.routes(stores.images)]), tmp_path / "s"
    )
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(tmp_path / "s"))) as session:

        async def call(method, path, data=None, **headers):
            headers = {name.replace("_", "-"): value for name, value in headers.items()}
            async with session.request(method, f"http://d{path}", data=data, headers=headers) as response:
                body = await response.read()
                lines = [json.loads(line) for line in body.splitlines() if line.startswith((b"{", b"["))]
                return response.status, lines[0] if len(lines) == 1 else lines or body

        yield call
    await runner.cleanup()


@pytest.fixture
async def app(import_tar):
    return await import_tar(tar(entry("a", b"1")), "app", "1")


async def test_import_and_inspect(http):
    changes = "changes=ENV%20A=1&changes=CMD%20x"
    status, body = await http(
        "POST", f"/v1.41/images/create?fromSrc=-&repo=new&tag=1&message=hi&{changes}", tar(entry("f"))
    )
    assert (status, list(body)) == (200, ["status"])
    status, shape = await http("GET", "/v1.41/images/new:1/json")
    assert shape["Id"] == body["status"]
    assert (shape["Config"]["Env"], shape["Config"]["Cmd"]) == (["A=1"], ["/bin/sh", "-c", "x"])
    assert shape["Comment"] == "hi"


REFUSED = [
    ("GET", "/v1.41/images/nosuch/json", 404, "no such image: nosuch: No such image: nosuch:latest"),
    ("GET", "/v1.47/images/nosuch/json", 404, "No such image: nosuch:latest"),
    ("GET", "/v1.41/images/NoSuch/json", 400,
     "no such image: NoSuch: invalid reference format: repository name must be lowercase"),
    ("GET", "/v1.41/images/nosuch/history", 404, "No such image: nosuch:latest"),
    ("GET", "/v1.41/images/get?names=nosuch", 404, "No such image: nosuch"),
    ("GET", "/v1.41/images/json?filters=%7B%22foo%22%3A%5B%22x%22%5D%7D", 400, "Invalid filter 'foo'"),
    ("GET", "/v1.41/images/json?filters=%7B%22dangling%22%3A%5B%22x%22%5D%7D", 400, "Invalid filter 'dangling=[x]'"),
    ("GET", "/v1.47/images/json?filters=%7B%22until%22%3A%5B%22x%22%5D%7D", 400,
     'failed to parse value as time or duration: "x"'),
    ("GET", "/v1.41/images/json?filters=%7B%22before%22%3A%5B%22x%22%5D%7D", 404, "No such image: x:latest"),
    ("POST", "/v1.41/images/create?fromImage=NoSuch", 400,
     "invalid reference format: repository name must be lowercase"),
    ("POST", "/v1.41/images/create?fromImage=a:b:c", 400, "invalid reference format"),
    ("POST", "/v1.41/images/create?fromSrc=-&repo=Bad", 400,
     "invalid reference format: repository name must be lowercase"),
    ("POST", "/v1.41/images/app:1/tag", 500, "invalid reference format"),
    ("POST", "/v1.47/images/app:1/tag", 400, "invalid reference format"),
    ("POST", "/v1.41/images/app:1/tag?repo=a&tag=-x", 500, "invalid tag format"),
    ("POST", "/v1.41/images/nosuch/tag?repo=a", 404, "No such image: nosuch:latest"),
    ("DELETE", "/v1.41/images/nosuch", 404, "No such image: nosuch:latest"),
    ("POST", "/v1.41/images/prune?filters=%7B%22x%22%3A%5B%22x%22%5D%7D", 400, "Invalid filter 'x'"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "status", "message"), REFUSED)
async def test_refused(http, app, method, path, status, message):
    assert await http(method, path) == (status, {"message": message})


async def test_registry_down(http):
    port = free_port()
    status, body = await http("POST", f"/v1.41/images/create?fromImage=127.0.0.1:{port}/nosuch&tag=x")
    assert status == 500
    where = f"127.0.0.1:{port}"
    assert body["message"] == f'Get "http://{where}/v2/": dial tcp {where}: connect: connection refused'


async def test_unknown_at_the_registry(http, hub):
    status, body = await http("POST", f"/images/create?fromImage={hub}/nosuch&tag=x")
    assert (status, body["message"]) == (
        404, f"manifest for {hub}/nosuch:x not found: manifest unknown: manifest unknown"
    )  # fmt: skip
    assert (await http("GET", f"/distribution/{hub}/nosuch/json"))[0] == 404


async def test_push_pull_and_distribution(http, hub, stores, app):
    await stores.images.tag("app:1", f"{hub}/api", "1")
    status, lines = await http("POST", f"/images/{hub}/api/push?tag=1", X_Registry_Auth="e30=")
    assert (status, lines[0]) == (200, {"status": f"The push refers to repository [{hub}/api]"})
    assert lines[-1]["aux"]["Tag"] == "1"
    status, lines = await http("POST", f"/images/create?fromImage={hub}/api&tag=1")
    assert (status, lines[-1]["status"]) == (200, f"Status: Image is up to date for {hub}/api:1")
    status, body = await http("GET", f"/distribution/{hub}/api:1/json")
    assert body["Platforms"] == [{"architecture": "amd64", "os": "linux"}]
    digest = body["Descriptor"]["digest"]
    status, lines = await http("POST", f"/images/create?fromImage={hub}/api&tag={digest}")
    assert (status, lines[-1]["status"]) == (200, f"Status: Image is up to date for {hub}/api@{digest}")


@pytest.mark.parametrize(("until", "found"), [("1h", 0), ("1970-01-02T00:00:00Z", 0), ("99999999999", 1)])
async def test_images_made_before_a_moment(http, app, until, found):
    query = urllib.parse.quote(json.dumps({"until": [until]}))
    _, listed = await http("GET", f"/v1.47/images/json?filters={query}")
    assert len(listed) == found


async def test_errors_within_a_stream(http, app):
    status, lines = await http("POST", "/v1.41/images/nosuch/push", X_Registry_Auth="e30=")
    message = "An image does not exist locally with the tag: nosuch"
    assert (status, lines[-1]) == (200, {"errorDetail": {"message": message}, "error": message})
    status, body = await http("POST", "/v1.41/images/load", b"nonsense" * 100)
    assert (status, list(body)) == (200, ["errorDetail", "error"])
    status, body = await http("POST", "/v1.41/images/create?fromSrc=-&repo=bad", b"nonsense" * 100)
    assert (status, body["message"][:28]) == (500, "Error processing tar file(ex")


async def test_save_load_remove(http, app):
    status, archive = await http("GET", "/images/get?names=app:1")
    assert status == 200
    assert (await http("DELETE", "/images/app:1"))[1][0] == {"Untagged": "app:1"}
    status, lines = await http("POST", "/images/load", archive)
    assert lines[-1] == {"stream": "Loaded image: app:1\n"}
    assert (await http("GET", "/images/json"))[1][0]["Id"] == app.id
    assert (await http("POST", "/images/prune"))[1] == {"ImagesDeleted": None, "SpaceReclaimed": 0}


async def test_commit(http, app, stores, containers):
    key = "d" * 64
    containers.record = ContainerRecord(
        id=key, name="c", created_ns=1, path="sh", args=("-c", "x"), host_config={}, image_id=app.id, image_ref="app:1",
        config={"Env": ["A=1", "B=2"], "Cmd": ["sh"], "Labels": {"k": "v"}, "Hostname": "h"},
        chain_id=app.chain_id, state=State(status=Status.RUNNING),
    )  # fmt: skip
    await stores.snapshots.prepare(key, app.chain_id)
    (await stores.snapshots.mount(key) / "new").write_text("12345")
    status, body = await http(
        "POST", f"/commit?container={key}&repo=made&comment=cc&author=me&changes=LABEL%20a=b&changes=ENV%20A=3", b"{}",
        Content_Type="application/json",
    )  # fmt: skip
    assert status == 201
    assert containers.asked == ["pause", "unpause"]
    shape = (await http("GET", "/v1.41/images/made/json"))[1]
    assert (shape["Id"], shape["Parent"], shape["Author"], shape["Comment"]) == (body["Id"], app.id, "me", "cc")
    assert shape["Config"]["Labels"] == {"k": "v", "a": "b"}
    assert sorted(shape["Config"]["Env"]) == ["A=3", "B=2"]
    assert (shape["Size"], len(shape["RootFS"]["Layers"])) == (6, 2)
    assert (await http("GET", "/images/made/history"))[1][0]["CreatedBy"] == "sh -c x"
    status, archive = await http("GET", "/images/made/get")
    await stores.images.remove("made")
    assert (await http("POST", "/images/load", archive))[1][-1] == {"stream": "Loaded image: made:latest\n"}
    assert (await http("POST", f"/commit?container={key}&pause=0"))[0] == 201
    assert containers.asked == ["pause", "unpause"]


async def test_trap_8_a_tag_that_is_not_there_is_404_before_the_stream(http, hub):
    for query in (f"fromImage={hub}/nosuch&tag=1", f"fromImage={hub}/nosuch:1"):
        status, body = await http("POST", f"/v1.41/images/create?{query}")
        assert status == 404
        assert body["message"].startswith(f"manifest for {hub}/nosuch:1 not found")
