"""A volume plugin that misbehaves on demand: ``python fakeplugin.py SOCKET DIRECTORY``.

It keeps each volume in a directory below DIRECTORY/data and writes every call to DIRECTORY/calls. A file
DIRECTORY/mood says what it does next: nothing (it works), ``hang``, ``garbage``, ``error``, ``die``, ``relative``,
``list``; ``hang Mount,List`` and the like concern these methods only.
"""

import json
import os
import shutil
import socketserver
import sys
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

SOCKET, HOME = Path(sys.argv[1]), Path(sys.argv[2])
DATA = HOME / "data"


def answer(method: str, given: dict[str, Any]) -> dict[str, Any]:
    """What a plugin that works says."""
    name = given.get("Name", "")
    match method:
        case "Activate":
            return {"Implements": ["VolumeDriver"]}
        case "Capabilities":
            return {"Capabilities": {"Scope": "global"}}
        case "Create":
            (DATA / name).mkdir(exist_ok=True)
            (HOME / f"{name}.options").write_text(json.dumps(given.get("Opts")))
            return {"Err": ""}
        case "List":
            return {"Volumes": [{"Name": one.name, "Mountpoint": str(one)} for one in sorted(DATA.iterdir())]}
    if not (DATA / name).is_dir():
        return {"Err": f"no volume {name}"}
    match method:
        case "Get":
            return {"Volume": {"Name": name, "Mountpoint": str(DATA / name), "Status": {"mood": "fine"}}}
        case "Mount" | "Path":
            return {"Mountpoint": str(DATA / name)}
        case "Remove":
            shutil.rmtree(DATA / name)
    return {"Err": ""}


class Handler(BaseHTTPRequestHandler):
    """One call."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        method = self.path.rpartition(".")[2]
        given = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        with (HOME / "calls").open("a") as log:
            log.write(f"{method} {given.get('Name', '')} {given.get('ID', '')[:12]}".strip() + "\n")
        mood, _, concerned = (HOME / "mood").read_text().partition(" ") if (HOME / "mood").exists() else ("", "", "")
        if concerned and method not in concerned.split(","):
            mood = ""
        if mood == "die":
            os._exit(1)
        if mood == "hang":
            time.sleep(600)
        if mood == "error":
            self.send(500, json.dumps({"Err": "the dog ate it"}).encode())
        elif mood == "garbage":
            self.send(200, b"\0\xff<html>" * 1000)
        elif mood == "relative":
            self.send(200, b'{"Mountpoint": "../../etc"}')
        elif mood == "list":
            self.send(200, b'[{"Volume": 1}]')
        else:
            self.send(200, json.dumps(answer(method, given)).encode())

    def send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "engine"

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """One thread a call."""

    daemon_threads = True


if __name__ == "__main__":
    DATA.mkdir(parents=True, exist_ok=True)
    SOCKET.unlink(missing_ok=True)
    with Server(str(SOCKET), Handler) as server:
        server.serve_forever()
