"""Debian's docker-compose (1.29, by docker-py): a project goes up, is scaled, used and taken down."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.agent.engine.cli.docker import Docker

PROJECT = """
version: "2.4"
services:
  db:
    image: busy
    command: sh -c 'echo db is up; touch /data/ready; exec sleep 600'
    volumes: ["data:/data"]
    networks:
      back: {aliases: [database]}
    healthcheck: {test: [CMD, test, -e, /data/ready], interval: 1s, timeout: 5s, retries: 10}
    stop_grace_period: 0s
  web:
    image: busy
    command: httpd -f -p 80 -h /etc
    depends_on:
      db: {condition: service_healthy}
    networks: [front, back]
    ports: ["127.0.0.1::80"]
    stop_grace_period: 0s
networks:
  front: {}
  back: {internal: true, labels: {a: b}}
volumes:
  data: {labels: {x: y}}
"""
ABORTING = """
version: "2.4"
services:
  job: {image: busy, command: sh -c 'echo working; exit 7'}
  beside: {image: busy, command: sleep 600, stop_grace_period: 0s}
"""


class Compose:
    """One project on one engine."""

    def __init__(self, docker: Docker, folder: Path, content: str) -> None:
        self.docker, self.folder = docker, folder
        (folder / "docker-compose.yml").write_text(content)

    def __call__(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            ["docker-compose", "--ansi", "never", "-p", "proj", *arguments],
            cwd=self.folder, env=self.docker.env, capture_output=True, text=True, timeout=120, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == code, f"docker-compose {arguments}: {done}"
        assert "warning" not in done.stderr.lower()
        return done.stdout


def test_it_works(docker: Docker, tmp_path: Path) -> None:
    compose = Compose(docker, tmp_path, PROJECT)
    compose("up", "-d")
    assert "Up (healthy)" in compose("ps")
    compose("up", "-d", "--scale", "web=3")
    names = set(docker.ok("ps --format {{.Names}}").split())
    assert names == {"proj_db_1", "proj_web_1", "proj_web_2", "proj_web_3"}
    assert "db is up" in compose("logs", "--no-color", "db")
    assert "database" in compose("exec", "-T", "web", "nslookup", "database")
    assert compose("exec", "-T", "--index=2", "web", "sh", "-c", "echo hi; exit 3", code=3) == "hi\n"
    assert compose("run", "-T", "--rm", "web", "wget", "-qO-", "http://web/group").startswith("root:")
    host, port = compose("port", "web", "80").strip().split(":")
    page = docker.ok(f"run --rm --network host busy wget -qO- http://{host}:{port}/group")
    assert page.startswith("root:")
    before = docker.inspect("proj_web_1")["Id"]
    compose("up", "-d", "--scale", "web=3")
    assert docker.inspect("proj_web_1")["Id"] == before, "nothing has changed, so nothing is made anew"
    compose("restart", "-t", "0", "db")
    compose("down", "-v")
    assert docker.ok("ps -aq") == ""
    assert docker.ok("volume ls -q") == ""
    assert len(json.loads(docker.ok("network inspect bridge host none"))) == len(docker.ok("network ls -q").split())


def test_trap_5_up_ends_with_the_first_that_ends(docker: Docker, tmp_path: Path) -> None:
    out = Compose(docker, tmp_path, ABORTING)("up", "--abort-on-container-exit", code=7)
    assert "working" in out
    assert "job_1" in out


@pytest.mark.parametrize("condition", ["service_started", "service_healthy"])
def test_a_dependency_that_cannot_be_met(docker: Docker, tmp_path: Path, condition: str) -> None:
    """Healthy waits for a check and fails with the sick; started does not wait."""
    sick = f"""
version: "2.4"
services:
  db: {{image: busy, command: sleep 600, stop_grace_period: 0s,
        healthcheck: {{test: [CMD, "false"], interval: 1s, retries: 1}}}}
  web: {{image: busy, command: sleep 600, stop_grace_period: 0s, depends_on: {{db: {{condition: {condition}}}}}}}
"""
    Compose(docker, tmp_path, sick)("up", "-d", code=1 if condition == "service_healthy" else 0)
    assert ("proj_web_1" in docker.ok("ps --format {{.Names}}")) == (condition == "service_started")
