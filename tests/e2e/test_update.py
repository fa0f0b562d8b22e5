"""`git pull && scripts/up` on what runs: what is out of date starts anew, the rest and all containers run on."""

import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests import busybox
from tests.netns import Namespace

ROOT = Path(__file__).resolve().parents[2]
PORT = 8473
CODE = ("Procfile", "agent", "controlplane", "manage.py", "requirements", "scripts")
MIGRATION = """from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("volumes", "{before}")]
    operations = []
"""


class Installation:
    """A clone with an installation of one demo host, in a namespace of its own."""

    def __init__(self, root: Path) -> None:
        self.clone, self.data = root / "clone", root / "data"
        self.clone.mkdir(parents=True)
        for name in CODE:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, self.clone / name)
            else:
                shutil.copy(ROOT / name, self.clone / name)
        self.dist = self.clone / "frontend/dist"
        shutil.copytree(ROOT / "frontend/dist", self.dist)
        (self.clone / ".venv").symlink_to(ROOT / ".venv")
        self.namespace = Namespace(f"ls-upd-{secrets.token_hex(3)}")

    def launch(self, *words: str) -> str:
        """scripts/up or scripts/down, behind the installation of packages."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("LONGSHORE_", "DJANGO_"))}
        done = subprocess.run(
            self.namespace.argv(sys.executable, "-m", "scripts.launch", *words, "--data", str(self.data)),
            cwd=self.clone, env=own, capture_output=True, text=True, check=False, timeout=280,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr + self.logs()
        return done.stdout

    def up(self) -> str:
        return self.launch("up", "--detach", "--hosts", "1", "--port", str(PORT))

    def logs(self) -> str:
        return "\n".join(path.read_text(errors="replace")[-2000:] for path in self.data.glob("log/*.log"))

    def pids(self) -> dict[str, str]:
        """Each process of supervisor's and its pid, once none is counted as starting any more."""
        control = [sys.executable, "-m", "supervisor.supervisorctl", "-c", str(self.data / "run/supervisord.conf")]
        ends = time.monotonic() + 30
        rows = [["", "STARTING"]]
        while any(row[1] == "STARTING" for row in rows) and time.monotonic() < ends:
            done = subprocess.run([*control, "status"], capture_output=True, text=True, check=False)
            rows = [line.split() for line in done.stdout.splitlines()]
            time.sleep(0.2)
        return {row[0]: row[3].strip(",") for row in rows if row[1] == "RUNNING"}

    def docker(self, *words: str) -> str:
        socket = f"unix://{self.data}/hosts/demo-1/docker.sock"
        return subprocess.run(["docker", "-H", socket, *words], capture_output=True, text=True, check=True).stdout

    def status(self, path: str) -> int:
        with self.namespace.entered():
            return requests.get(f"http://127.0.0.1:{PORT}{path}", timeout=20).status_code


@pytest.fixture
def installation(scratch: Path) -> Iterator[Installation]:
    made = Installation(scratch / "update")
    try:
        yield made
    finally:
        made.launch("down", "--purge")
        made.namespace.remove()


@pytest.mark.timeout(600)
def test_an_update_starts_anew_what_is_out_of_date_and_nothing_else(installation: Installation) -> None:
    installation.up()
    busybox.import_into(f"unix://{installation.data}/hosts/demo-1/docker.sock")
    installation.docker("run", "-d", "--name", "steady", "--network", "none", "busybox", "sleep", "3000")
    pid = installation.docker("inspect", "-f", "{{.State.Pid}}", "steady")
    first = installation.pids()
    assert {"web", "worker", "beat", "redis", "agent-demo-1"} <= first.keys()

    began = time.monotonic()
    installation.up()
    assert time.monotonic() - began < 20
    assert installation.pids() == first

    assert installation.status("/static/new-Update00.js") == 404
    (installation.dist / "static").mkdir(exist_ok=True)
    (installation.dist / "static/new-Update00.js").write_text("export {}\n")
    assert "out of date: web\n" in installation.up()
    second = installation.pids()
    assert {name for name, pid in second.items() if first[name] != pid} == {"web"}
    assert installation.status("/static/new-Update00.js") == 200

    migrations = installation.clone / "controlplane/volumes/migrations"
    newest = max(path.stem for path in migrations.glob("0*.py"))
    (migrations / "9999_update.py").write_text(MIGRATION.format(before=newest))
    with (installation.clone / "agent/link/__init__.py").open("a") as code:
        code.write("\n# another version\n")
    installation.up()
    third = installation.pids()
    changed = {name for name, pid in third.items() if second[name] != pid}
    assert changed == {"web", "worker", "beat", "agent-demo-1"}
    shown = subprocess.run(
        [sys.executable, "manage.py", "showmigrations", "volumes"], cwd=installation.clone, text=True, check=True,
        capture_output=True, env=os.environ | {"LONGSHORE_DATA": str(installation.data)},
    ).stdout  # fmt: skip
    assert "[X] 9999_update" in shown
    assert installation.docker("inspect", "-f", "{{.State.Pid}}", "steady") == pid
