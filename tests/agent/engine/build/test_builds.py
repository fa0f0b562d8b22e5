"""Builds through the real CLI: what comes out, the cache, errors; hostile-input rows B1 to B7 by id."""

import gzip
import io
import json
import os
import secrets
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from tests.agent.engine.cli.docker import Done, until
from tests.agent.engine.conftest import RunningEngine

Files = dict[str, str | bytes | tarfile.TarInfo]


def context(dockerfile: str, files: Files | None = None, mtime: int = 1_600_000_000) -> bytes:
    """A context as a tar."""
    return archive({"Dockerfile": dockerfile, **(files or {})}, mtime)


def archive(files: Files, mtime: int = 0) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode = len(data), mtime, 0o644
            tar.addfile(info, io.BytesIO(data))
    return raw.getvalue()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def build(engine: RunningEngine, dockerfile: str, files: Files | None = None, flags: str = "", **how: int) -> Done:
    return engine.docker(f"build -t made {flags} -", stdin=context(dockerfile, files, **how))


def image(engine: RunningEngine, command: str) -> str:
    """What a command says in the image."""
    return engine.docker.ok(f"run --rm made {command}")


def mounted(engine: RunningEngine) -> list[str]:
    """Snapshots that are still there."""
    return [entry.name for entry in (engine.data / "snapshots").iterdir()]


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of the host that no build may read, change or remove."""
    path = tmp_path / "secret"
    path.write_text("of the host\n")
    return path


def test_it_works(engine: RunningEngine) -> None:
    dockerfile = """
        FROM busy AS one
        WORKDIR /work
        COPY --chown=5:6 f sub/
        RUN cat sub/f > copy && echo to-stderr >&2
        FROM busy
        COPY --from=one /work /w
        ENV A=b
        CMD ["cat", "/w/copy"]
    """
    done = build(engine, dockerfile, {"f": "content\n"}, "--label k=v -t made:second")
    assert done.code == 0, done
    assert "Step 2/9 : WORKDIR /work" in done.out
    assert "\x1b[91mto-stderr" in done.err + done.out
    assert "Successfully tagged made:latest\nSuccessfully tagged made:second\n" in done.out
    assert engine.docker.ok("run --rm made") == "content"
    assert image(engine, "stat -c %u:%g /w/sub/f") == "5:6"
    found = json.loads(engine.docker.ok("image inspect made"))[0]
    assert found["Config"]["Labels"] == {"k": "v"}
    assert "A=b" in found["Config"]["Env"]
    assert len(engine.docker.ok("history -q made").split()) > 3
    assert engine.docker.ok("ps -aq") == ""
    until(lambda: not mounted(engine))


def test_much_of_the_language(engine: RunningEngine) -> None:
    packed = gzip.compress(archive({"in/side": "unpacked\n"}))
    base = "FROM busy\nONBUILD COPY f /onbuild\nONBUILD RUN cat /onbuild >> /ran\n"
    assert engine.docker("build -t made:base -", stdin=context(base, {"f": "of the base\n"})).code == 0
    dockerfile = """
        FROM made:base AS unused
        RUN exit 1
        FROM made:base
        ARG TARGETOS
        ENV WHO=${TARGETOS:-nobody}
        ADD packed.tgz /unpacked/
        ADD --chmod=u=rwx,go=r f /mode
        COPY --parents a/./b/f /parents/
        COPY *.txt /star/
        COPY --exclude=*.md d /excluded
        COPY <<one <<"two" /text/
hello $WHO
one
hello $WHO
two
        RUN <<EOF
word=here
echo $word-$WHO > /heredoc
EOF
        RUN <<EOF
#!/bin/awk -f
BEGIN { print "awk" > "/awk" }
EOF
        RUN --network=none ls /sys/class/net > /net
        RUN --mount=target=/ctx ls /ctx/a > /list && ! touch /ctx/new
        VOLUME /data
        EXPOSE 80
    """
    files: Files = {
        "f": "f\n",
        "a/b/f": "1",
        "x.txt": "1",
        "y.txt": "2",
        "d/k": "1",
        "d/k.md": "2",
        "packed.tgz": packed,
    }
    done = build(engine, dockerfile, files)
    assert done.code == 0, done
    assert "# Executing 2 build triggers" in done.out
    seen = image(engine, "tail -n +1 /onbuild /ran /unpacked/in/side /text/one /text/two /heredoc /awk /net /list")
    words = [line for line in seen.splitlines() if line and not line.startswith("==>")]
    assert words == ["f", "f", "unpacked", "hello linux", "hello $WHO", "here-linux", "awk", "lo", "b"]
    assert image(engine, "stat -c %a /mode") == "744"
    assert image(engine, "find /parents /star /excluded -type f").split() == [
        "/parents/b/f", "/star/x.txt", "/star/y.txt", "/excluded/k",
    ]  # fmt: skip
    found = json.loads(engine.docker.ok("image inspect made"))[0]["Config"]
    assert (found["Volumes"], found["ExposedPorts"], found["OnBuild"]) == ({"/data": {}}, {"80/tcp": {}}, None)


def test_cache_by_content(engine: RunningEngine) -> None:
    dockerfile = f"FROM busy\nARG X={secrets.token_hex(4)}\nCOPY f /\nRUN cat /proc/sys/kernel/random/uuid > /id\n"
    build(engine, dockerfile, {"f": "1"})
    first = image(engine, "cat /id")
    again = build(engine, dockerfile, {"f": "1"}, mtime=1_700_000_000)
    assert again.out.count("Using cache") == 3
    assert image(engine, "cat /id") == first
    changed = build(engine, dockerfile, {"f": "2"})
    assert changed.out.count("Using cache") == 1
    assert image(engine, "cat /id") != first
    assert "Using cache" not in build(engine, dockerfile, {"f": "2"}, "--no-cache").out


def test_only_the_named_images_are_a_cache(engine: RunningEngine) -> None:
    dockerfile = "FROM busy\nRUN echo 1 > /one\nRUN echo 2 > /two"
    build(engine, dockerfile)
    engine.docker.ok("tag busy other")
    assert build(engine, dockerfile, flags="--cache-from made").out.count("Using cache") == 2
    assert build(engine, dockerfile, flags="--cache-from other").out.count("Using cache") == 0
    assert build(engine, dockerfile, flags="--cache-from nosuch").out.count("Using cache") == 0


def test_failing_command(engine: RunningEngine) -> None:
    done = build(engine, "FROM busy\nRUN echo before; exit 7\n")
    assert done.code == 7
    assert "before" in done.out
    assert "The command '/bin/sh -c echo before; exit 7' returned a non-zero code: 7" in done.err
    assert engine.docker("image inspect made").code != 0
    until(lambda: not mounted(engine))


def test_errors_name_file_and_line(engine: RunningEngine) -> None:
    for dockerfile, words in {
        "FROM busy\n\nRUNN x\n": "dockerfile parse error on line 3 of Dockerfile: unknown instruction: RUNN",
        "FROM busy\nCOPY absent /\n": "Dockerfile:2: COPY failed: file not found in build context",
        "FROM busy\nCOPY --chown=nobodyhere Dockerfile /\n": "Dockerfile:2: unable to convert uid/gid chown string",
        "FROM scratch\nEXPOSE 80x\n": "Dockerfile:2: invalid containerPort: 80x",
        "FROM busy\nADD http://127.0.0.1/x /\n": "Dockerfile:2: ADD failed: http://127.0.0.1/x: ADD from an address",
    }.items():
        done = build(engine, dockerfile)
        assert done.code == 1
        assert words in done.err, done


def test_refused_options(engine: RunningEngine) -> None:
    for query, words in {
        "remote=https://example.com/x.git": "building from an address (remote) is not supported",
        "squash=1": "squash is not supported",
        "isolation=hyperv": 'unsupported isolation: "hyperv"',
        "securityopt=[%22a%22]": "does not support setting security options on build",
        "version=2": "BuildKit is not part of this engine",
        "buildargs=[": "buildargs is not JSON",
        "t=UPPER": "invalid reference format",
    }.items():
        status, answer = engine.docker.api("POST", f"/build?{query}")
        assert (status, words in answer["message"]) == (400, True), answer


def test_quiet(engine: RunningEngine) -> None:
    assert build(engine, "FROM busy\nRUN echo loud\n", flags="-q").out.startswith("sha256:")


def test_b1_context(engine: RunningEngine, secret: Path) -> None:
    hostile = {"link": link("link", str(secret)), "up": link("up", "../" * 20 + str(secret))}
    for source in ("link", "up", f"../../..{secret}"):
        done = build(engine, f"FROM busy\nCOPY {source} /x\n", hostile)
        assert done.code == 1
        assert "file not found in build context" in done.err
    whole = build(engine, "FROM busy\nCOPY . /ctx\n", hostile)
    assert whole.code == 0, whole
    assert image(engine, "readlink /ctx/link") == str(secret)
    for bad in (link("hard", str(secret), tarfile.LNKTYPE), link("hard", "../../secret", tarfile.LNKTYPE)):
        assert build(engine, "FROM busy\nCOPY hard /x\n", {"hard": bad}).code == 1
    assert secret.stat().st_nlink == 1
    outside = secret.parent / "evil"
    build(engine, "FROM busy\nCOPY . /ctx\n", {"../" * 30 + str(outside): "x"})
    assert not outside.exists()


def test_b1_added_archive(engine: RunningEngine, secret: Path) -> None:
    folder = secret.parent
    inner = archive({"d": link("d", str(folder)), "d/secret": "changed\n", "../../../escaped": "x"})
    done = build(engine, "FROM busy\nADD inner.tar /srv/\n", {"inner.tar": inner})
    assert secret.read_text() == "of the host\n"
    assert sorted(entry.name for entry in folder.iterdir()) == ["secret"]
    if done.code == 0:
        assert image(engine, f"cat {secret}") == "changed"


def test_b2_links_of_a_stage(engine: RunningEngine, secret: Path) -> None:
    evil = f"FROM busy AS evil\nRUN ln -s {secret} /link && ln -s {secret.parent} /dir\n"
    for source in ("/link", "/dir/secret", f"/../..{secret}"):
        done = build(engine, f"{evil}FROM busy\nCOPY --from=evil {source} /x\n")
        assert done.code == 1, done
    done = build(engine, f"{evil}COPY f /dir/\nCOPY f /link\nWORKDIR {secret.parent}/made\n", {"f": "new\n"})
    assert secret.read_text() == "of the host\n"
    assert [entry.name for entry in secret.parent.iterdir()] == ["secret"]
    swapped = f"FROM busy\nRUN rm -rf /tmp && ln -s {secret.parent} /tmp\nCOPY f /tmp/\n"
    build(engine, swapped, {"f": "new\n"})
    assert [entry.name for entry in secret.parent.iterdir()] == ["secret"]


def test_b3_ignored_files(engine: RunningEngine) -> None:
    dockerfile = f"FROM busy\nARG X={secrets.token_hex(4)}\nCOPY . /ctx\n"
    ignore = "\ufeff# all\n*\n!keep/** \n**/*.log\n"
    files: Files = {".dockerignore": ignore, ".env": "SECRET=1", "keep/f": "1", "keep/x.log": "2", "other": "3"}
    build(engine, dockerfile, files)
    assert image(engine, "find /ctx -type f") == "/ctx/keep/f"
    again = build(engine, dockerfile, files | {".env": "SECRET=2", "keep/x.log": "changed"})
    assert again.out.count("Using cache") == 2


def test_b4_argument_in_the_history(engine: RunningEngine) -> None:
    done = build(engine, "FROM busy\nARG TOKEN\nRUN true\n", flags="--build-arg TOKEN=visible")
    assert "ARG TOKEN stays readable in the image's history" in done.out + done.err
    assert "visible" in engine.docker.ok("history --no-trunc made")
    assert "visible" not in engine.docker.ok("image inspect -f '{{json .Config}}' made")


def test_b5_mounts(engine: RunningEngine, secret: Path) -> None:
    stage = f"FROM busy AS s\nRUN ln -s / /rootlink && ln -s {secret.parent} /out\nFROM busy\n"
    mount = "RUN --mount=type=bind,from=s,source=/rootlink,target=/m,rw"
    done = build(engine, f"{stage}{mount} test -L /m/rootlink && test ! -e /m{secret} && echo x > /m/made\n")
    assert done.code == 0, done
    assert not Path("/made").exists()
    done = build(engine, f"{stage}RUN --mount=type=bind,from=s,source=/out,target=/m ls /m\n")
    assert done.code == 1
    build(engine, "FROM busy\nRUN --mount=type=cache,id=../../../..,target=/c touch /c/mark\n")
    assert [len(entry.name) for entry in (engine.data / "build").iterdir()] == [64] * len(
        os.listdir(engine.data / "build")
    )
    for bad in ("bind-propagation=shared", "target=/m,source=../..,ro=maybe"):
        assert build(engine, f"FROM busy\nRUN --mount=type=bind,{bad} true\n").code == 1
    context_write = "RUN --mount=target=/m,rw echo changed > /m/f\nRUN --mount=target=/m cat /m/f > /seen\n"
    build(engine, f"FROM busy\n{context_write}", {"f": "as sent\n"})
    assert image(engine, "cat /seen") == "as sent"


def test_cancel_wants_a_name(engine: RunningEngine) -> None:
    assert engine.docker.api("POST", "/build/cancel") == (400, {"message": "build ID not provided"})
    assert engine.docker.api("POST", "/build/cancel?id=x")[0] == 200


def test_prune_of_caches(engine: RunningEngine) -> None:
    build(engine, "FROM busy\nRUN --mount=type=cache,target=/c echo kept > /c/f\n")
    # what `docker system prune --filter label=…` asks: a cache has no label, so it stays
    chosen = engine.docker.api("POST", '/build/prune?filters={"label":["nosuch=1"]}')
    assert chosen == (200, {"CachesDeleted": None, "SpaceReclaimed": 0})
    status, answer = engine.docker.api("POST", "/build/prune")
    assert (status, len(answer["CachesDeleted"]) >= 1, answer["SpaceReclaimed"] >= 5) == (200, True, True)
    assert engine.docker.api("POST", "/build/prune")[1] == {"CachesDeleted": None, "SpaceReclaimed": 0}


def running(mark: str) -> bool:
    return subprocess.run(["pgrep", "-f", f"^sleep {mark}"], capture_output=True, check=False).returncode == 0


def test_b7_cancelled(engine: RunningEngine) -> None:
    mark = str(90_000 + secrets.randbelow(9_000))
    client = engine.docker.start("build -")
    assert client.stdin
    client.stdin.write(context(f"FROM busy\nRUN trap '' TERM INT; sleep {mark}\n"))
    client.stdin.close()
    until(lambda: running(mark))
    client.kill()
    client.wait()
    gone = time.monotonic()
    until(lambda: not running(mark), seconds=3)
    assert time.monotonic() - gone <= 2
    until(lambda: not mounted(engine))


def test_b7_engine_killed(own_engine: RunningEngine) -> None:
    mark = str(70_000 + secrets.randbelow(9_000))
    client = own_engine.docker.start("build -")
    assert client.stdin
    client.stdin.write(context(f"FROM busy\nRUN sleep {mark}\n"))
    client.stdin.close()
    until(lambda: running(mark))
    own_engine.kill9()
    client.wait()
    own_engine.start()
    until(lambda: not running(mark))
    until(lambda: not mounted(own_engine))
    assert not list((own_engine.data / "tmp").glob("build-*"))


def test_b7_daemonised(engine: RunningEngine) -> None:
    mark = str(80_000 + secrets.randbelow(9_000))
    done = build(engine, f"FROM busy\nRUN setsid sleep {mark} >/dev/null 2>&1 & true\n")
    assert done.code == 0, done
    assert not running(mark)


def test_nothing_of_a_run_but_its_work(engine: RunningEngine) -> None:
    build(engine, "FROM scratch\nCOPY --from=busy / /\nRUN touch /work\n")
    assert image(engine, "ls -A /").split() == sorted(["bin", "dev", "etc", "proc", "sys", "work", *extras(engine)])
    layers = json.loads(engine.docker.ok("image inspect made"))[0]["RootFS"]["Layers"]
    build(engine, "FROM made\nRUN true\n")
    assert json.loads(engine.docker.ok("image inspect made"))[0]["RootFS"]["Layers"][: len(layers)] == layers


def extras(engine: RunningEngine) -> set[str]:
    return set(engine.docker.ok("run --rm busy ls -A /").split()) - {"bin", "dev", "etc", "proc", "sys"}
