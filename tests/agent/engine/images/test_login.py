"""Credentials at Debian's docker-registry (Basic, from an htpasswd file), and ``docker login``."""

import crypt
import subprocess
import time

import pytest

from agent.engine.errors import EngineError, Unauthorized
from agent.engine.registry.client import Registries
from agent.engine.registry.keychain import Credentials
from tests.agent.engine.images.archives import entry, tar
from tests.agent.engine.images.conftest import free_port

RIGHT, WRONG = Credentials("user", "right"), Credentials("user", "canary")


@pytest.fixture
def guarded(tmp_path):
    """A registry that asks for a password."""
    address = f"127.0.0.1:{free_port()}"
    (tmp_path / "htpasswd").write_text("user:" + crypt.crypt("right", "$2y$05$" + "a" * 22) + "\n")
    (tmp_path / "config.yml").write_text(
        "version: 0.1\nlog: {level: warn}\n"
        f"storage: {{filesystem: {{rootdirectory: {tmp_path}/data}}}}\nhttp: {{addr: '{address}'}}\n"
        f"auth: {{htpasswd: {{realm: test, path: {tmp_path}/htpasswd}}}}\n"
    )
    process = subprocess.Popen(
        ["docker-registry", "serve", str(tmp_path / "config.yml")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(0.5)
    yield address
    process.terminate()
    process.wait(10)


async def test_it_works(stores, import_tar, guarded):
    await import_tar(tar(entry("a", b"1")), f"{guarded}/app", "1")
    await stores.images.push(f"{guarded}/app", "1", RIGHT, lambda _: None)
    await stores.images.remove(f"{guarded}/app:1")
    await stores.images.pull(f"{guarded}/app:1", "", RIGHT, lambda _: None)


@pytest.mark.parametrize("credentials", [WRONG, None])
async def test_refused(stores, import_tar, guarded, credentials):
    await import_tar(tar(entry("a", b"1")), f"{guarded}/app", "1")
    with pytest.raises(EngineError) as pushed:
        await stores.images.push(f"{guarded}/app", "1", credentials, lambda _: None)
    with pytest.raises(Unauthorized) as pulled:
        await stores.images.pull(f"{guarded}/app:2", "", credentials, lambda _: None)
    assert "canary" not in str(pushed.value) + str(pulled.value)


async def test_login(guarded):
    given = {"username": "user", "password": "right", "serveraddress": guarded}
    assert await Registries().login(given) == "Login Succeeded"
    with pytest.raises(Unauthorized, match="failed with status: 401 Unauthorized"):
        await Registries().login({**given, "password": "canary"})
