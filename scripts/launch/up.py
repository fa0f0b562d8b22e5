"""``scripts/up``: from an installed tree to a page that works. Run again, it starts what is missing or out of date."""

import os
import shutil
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from scripts.launch import hosts, preflight, processes, supervise, tls
from scripts.launch import plan as plans
from scripts.launch.down import down
from scripts.launch.manage import manage
from scripts.launch.plan import Plan
from scripts.launch.refusal import Refusal

HEALTHY_WITHIN = 60
HOSTS_WITHIN = 30


def up(data: Path, *, hosts: int | None, port: int | None, detach: bool) -> None:
    """Start everything and say where it is.

    Args:
        data: the data directory.
        hosts: number of demo hosts; None for this machine as the one host, or as the last run had it.
        port: TCP port of the dashboard; None for the default, or as the last run had it.
        detach: return when healthy; otherwise stay until Ctrl+C or SIGTERM and stop everything then.

    Raises:
        Refusal: what is wrong, and the cure.
    """
    started = time.monotonic()
    plan = _plan(data, hosts, port)
    already = supervise.running(plan)
    preflight.check(plan, running=already.get("web") == "RUNNING")
    for folder in (plan.data, plan.run, plan.log):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    plan.save()
    if plan.https and "LONGSHORE_TLS_CERT" not in os.environ:
        tls.ensure(plan.data / "tls", plan.url)
    password = ""
    stale = _retire(plan) if already else []
    if not already or {"worker", "beat"} & set(stale):
        _say("  Migrating the database … ", end="")
        manage(plan, "migrate", "--no-input")
        password = "" if already else manage(plan, "create_admin").strip()
        _say("done")
    _serve(plan)
    _hosts(plan)
    _report(plan, password, time.monotonic() - started)
    if not detach:
        _stay(plan)


def _retire(plan: Plan) -> list[str]:
    """Stop what is out of date, so that it starts anew with the rest."""
    processes.write_configuration(plan)
    stale = supervise.retire(plan)
    if stale:
        _say(f"  Stopped, since out of date: {', '.join(stale)}")
    return stale


def _plan(data: Path, host_count: int | None, port: int | None) -> Plan:
    stored = plans.load(data)
    if stored is None:
        port = port or int(os.environ.get("LONGSHORE_PORT", plans.DEFAULT_PORT))
        url = os.environ.get("LONGSHORE_URL", f"http://127.0.0.1:{port}").rstrip("/")
        return Plan(
            data=data,
            url=_checked(url),
            bind=os.environ.get("LONGSHORE_BIND", "127.0.0.1"),
            port=port,
            hosts=host_count,
        )
    if port is not None and port != stored.port and supervise.running(stored):
        raise Refusal(
            f"Longshore already runs on port {stored.port} with this data directory. Stop it first: scripts/down"
        )
    if host_count is not None and (stored.hosts is None or host_count < stored.hosts):
        former = "this machine itself as the host" if stored.hosts is None else f"{stored.hosts} demo hosts"
        raise Refusal(
            f"{data} was set up with {former}. Choose another folder with --data DIR, "
            "or take this one away with scripts/down --purge."
        )
    port = port or stored.port
    default = f"http://127.0.0.1:{port}" if stored.url == f"http://127.0.0.1:{stored.port}" else stored.url
    url = _checked(os.environ.get("LONGSHORE_URL", default).rstrip("/"))
    return Plan(
        data=data, url=url, bind=os.environ.get("LONGSHORE_BIND", stored.bind), port=port,
        hosts=stored.hosts if host_count is None else host_count,
    )  # fmt: skip


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise Refusal(
            f"LONGSHORE_URL={url}: plain http is served on loopback only, since passwords cross it. Use https://."
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refusal(f"LONGSHORE_URL={url}: this is no http or https address. Example: https://longshore.example:8443")
    return url


def _serve(plan: Plan) -> None:
    hosts.ensure_namespaces(plan)
    if "REDIS_URL" not in os.environ and not shutil.which("redis-server"):
        raise Refusal("redis-server is missing. Run scripts/up, which installs it, or set REDIS_URL.")
    _say("  Starting … ", end="")
    supervise.start(plan, processes.write_configuration(plan))
    _wait(lambda: _healthy(plan), HEALTHY_WITHIN, f"the control plane does not answer; see {plan.log}/web.log")
    _say("done")


def _hosts(plan: Plan) -> None:
    fresh = hosts.missing(plan)
    for name in fresh:
        _say(f"  Enrolling host {name} … ", end="")
        hosts.enrol(plan, name)
        _say("done")
    if fresh:
        supervise.start(plan, processes.write_configuration(plan))
    for name in hosts.names(plan):
        socket = plan.data / "hosts" / name / "docker.sock"
        _wait(socket.exists, HOSTS_WITHIN, f"the engine of {name} does not serve; see {plan.log}/agent-{name}.log")


def _healthy(plan: Plan) -> bool:
    context = ssl.create_default_context()
    # The question is whether our own process answers; who it is was settled when we started it.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    host = f"[{plan.bind}]" if ":" in plan.bind else plan.bind.replace("0.0.0.0", "127.0.0.1")
    request = urllib.request.Request(
        f"{'https' if plan.https else 'http'}://{host}:{plan.port}/api/ready/",
        headers={"Host": urlsplit(plan.url).netloc},
    )
    try:
        with urllib.request.urlopen(request, timeout=5, context=context) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _wait(condition: Callable[[], bool], seconds: float, fault: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Refusal(f"{fault} (waited {seconds:.0f} s)")
        time.sleep(0.1)


def _report(plan: Plan, password: str, seconds: float) -> None:
    _say(f"\nLongshore runs at {plan.url} ({seconds:.1f} s)")
    if password:
        _say(f"  sign in as admin with the password {password}")
        _say("  It is shown this once. A lost one is set anew: manage.py changepassword admin")
    for name in hosts.names(plan):
        _say(f"  host {name}: docker -H unix://{plan.data}/hosts/{name}/docker.sock ps")


def _stay(plan: Plan) -> None:
    _say("  Ctrl+C stops it; containers run on. (scripts/up --detach returns instead.)")
    try:
        while supervise.running(plan):
            time.sleep(2)
    except KeyboardInterrupt:
        down(plan.data, purge=False)


def _say(text: str, end: str = "\n") -> None:
    sys.stdout.write(text + end)
    sys.stdout.flush()
