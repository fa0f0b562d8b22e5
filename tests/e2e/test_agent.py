"""An agent's comings and goings: joined by the pasted line, ended by SIGTERM, cut off and back."""

import secrets
import subprocess
from pathlib import Path

from tests.lab import PYTHON, REPOSITORY, Lab


def test_join_reads_the_string_from_stdin_and_the_host_comes_online(lab: Lab) -> None:
    name = f"joined-{secrets.token_hex(2)}"
    host = lab.add_host(name, enrol=False)
    join_string = lab.api("POST", "enrolments/", {"name": name})["join_string"]
    done = subprocess.run(
        host.namespace.argv("scripts/join", "--state", str(host.state)),
        input=join_string + "\n", text=True, capture_output=True, cwd=REPOSITORY, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "agent run" in done.stdout
    assert join_string.rpartition("#")[2] not in done.stdout + done.stderr
    assert (host.state / "host.key").stat().st_mode & 0o777 == 0o600
    host.start()
    lab.wait_online(host)
    lab.forget(host)


def test_a_spent_join_string_is_refused(lab: Lab) -> None:
    name = f"twice-{secrets.token_hex(2)}"
    host = lab.add_host(name, enrol=False)
    join_string = lab.api("POST", "enrolments/", {"name": name})["join_string"]
    host.enrol(join_string)
    again = subprocess.run(
        host.namespace.argv(str(PYTHON), "-m", "agent", "enrol", "-", "--state", f"{host.state}-2"),
        input=join_string + "\n", text=True, capture_output=True, cwd=REPOSITORY, check=False, timeout=60,
    )  # fmt: skip
    assert again.returncode != 0
    assert "create a new one" in again.stderr
    assert not Path(f"{host.state}-2", "agent.toml").exists()
    host.start()
    lab.wait_online(host)
    lab.forget(host)


def test_sigterm_to_the_agent_leaves_every_container_running(lab: Lab) -> None:
    web = lab.hosts["web-1"]
    name = f"stays-{secrets.token_hex(2)}"
    web.docker(
        "run", "-d", "--name", name, "busybox", "sh", "-c", "i=0; while true; do i=$((i+1)); echo $i; sleep 0.1; done"
    )
    pid = web.docker("inspect", "-f", "{{.State.Pid}}", name).stdout.strip()
    started = Path(f"/proc/{pid}/stat").read_text().split()[21]
    web.stop()
    assert Path(f"/proc/{pid}/stat").read_text().split()[21] == started
    web.start()
    lab.wait_online(web)
    assert web.docker("inspect", "-f", "{{.State.Pid}}", name).stdout.strip() == pid
    numbers = [int(n) for n in web.docker("logs", name).stdout.split()]
    assert numbers == list(range(1, len(numbers) + 1))
    web.docker("rm", "-f", name)
