"""supervisor's configuration: made from the Procfile, plus Redis and one agent a host.

supervisor restarts a process that dies at once, and one that dies while starting after 1, 2, … 10 s; then it would give
up (FATAL). ``revive.py`` is an event listener that begins again, so that whatever was killed comes back for ever.

``LONGSHORE_CODE`` in a program's environment is the digest of its code: an update changes its section, and what runs by
an older section is out of date.
"""

import os
import shlex
import string
import sys
from pathlib import Path

from scripts.launch.builds import digest
from scripts.launch.plan import ROOT, Plan

#: Back-off in seconds grows by one with each failed start; ``revive.py`` begins again after this many.
START_RETRIES = 10


def commands() -> dict[str, str]:
    """Read the Procfile: process name to command line."""
    lines = (line.partition(":") for line in (ROOT / "Procfile").read_text().splitlines() if line.strip())
    return {name.strip(): command.strip() for name, _, command in lines}


def write_configuration(plan: Plan) -> Path:
    """Write ``redis.conf`` and ``supervisord.conf`` (both 0600) for the plan and answer the latter's path."""
    env = plan.environment()
    sections = [_head(plan)]
    procfile = commands()
    if "REDIS_URL" not in os.environ:
        _write(plan.run / "redis.conf", _redis(plan))
        sections.append(_program("redis", f"redis-server {plan.run}/redis.conf", plan, {}, priority=1))
    for name in ("web", "worker", "beat"):
        command = procfile[name]
        if name == "web" and plan.https:
            command += " --ssl-certfile $LONGSHORE_TLS_CERT --ssl-keyfile $LONGSHORE_TLS_KEY"
        own = env | {"LONGSHORE_CODE": digest(name)}
        sections.append(_program(name, string.Template(command).substitute(env), plan, own, priority=10))
    agent = {"PATH": env["PATH"], "LONGSHORE_CODE": digest("agent")}
    for state in (s for s in plan.host_dirs() if (s / "agent.toml").exists()):
        command = string.Template(procfile["agent"]).substitute(LONGSHORE_STATE=str(state))
        netns = state / "netns"
        if netns.exists():
            command += f" --netns {netns.read_text().strip()}"
        # The agent alone gets SIGTERM: it ends engine and link itself and leaves every container running.
        sections.append(_program(f"agent-{state.name}", command, plan, agent, priority=20, as_group=False))
    path = plan.run / "supervisord.conf"
    _write(path, "\n".join(sections))
    return path


def _head(plan: Plan) -> str:
    run = plan.run
    return f"""[unix_http_server]
file={run}/supervisor.sock
chmod=0700

[supervisord]
logfile={plan.log}/supervisord.log
logfile_maxbytes=10MB
pidfile={run}/supervisord.pid
directory={ROOT}
identifier=longshore

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{run}/supervisor.sock

[eventlistener:revive]
command={sys.executable} -m scripts.launch.revive {run}/supervisor.sock
directory={ROOT}
events=PROCESS_STATE_FATAL
autorestart=true
stderr_logfile={plan.log}/revive.log
"""


def _program(name: str, command: str, plan: Plan, env: dict[str, str], *, priority: int, as_group: bool = True) -> str:
    program, *arguments = shlex.split(command)
    venv = ROOT / ".venv/bin" / program
    argv = shlex.join([str(venv) if venv.exists() else program, *arguments]).replace("%", "%%")
    pairs = ",".join(f'{key}="{_quoted(value)}"' for key, value in env.items())
    group = "true" if as_group else "false"
    return f"""[program:{name}]
command={argv}
directory={ROOT}
environment={pairs}
priority={priority}
autorestart=true
startsecs=1
startretries={START_RETRIES}
stopwaitsecs=15
stopasgroup={group}
killasgroup={group}
redirect_stderr=true
stdout_logfile={plan.log}/{name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=2
"""


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")


def _redis(plan: Plan) -> str:
    # Nothing on disk: orders are kept in the database, and agents' ACL users are made anew at every bell.
    return f"""port 0
unixsocket {plan.run}/redis.sock
unixsocketperm 700
requirepass {plan.redis_password()}
daemonize no
save ""
appendonly no
maxmemory-policy noeviction
dir {plan.run}
logfile ""
"""


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
