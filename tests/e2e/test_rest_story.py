"""The whole story by REST alone, as a script in CI would do it."""

import secrets

from tests.lab import Lab


def test_a_script_builds_pushes_pulls_runs_and_removes(lab: Lab) -> None:
    web, edge = lab.hosts["web-1"], lab.hosts["edge-1"]
    tag = secrets.token_hex(3)
    name, reference = f"hello-{tag}", f"{lab.registry}/hello:{tag}"

    dockerfile = f'FROM busybox\nRUN echo {tag} > /tag\nCMD ["sh", "-c", "cat /tag; sleep 600"]\n'
    built = lab.order("POST", "images/build/", {"hosts": [web.id], "dockerfile_text": dockerfile, "tags": [reference]})
    image = lab.first(f"images/?search=hello:{tag}")
    assert built["target"]["type"] == "image"
    lab.order("POST", f"images/{image['id']}/push/", {"reference": reference})
    assert [r["name"] for r in lab.api("GET", "repositories/?name=hello")["results"]] == ["hello"]
    lab.order("POST", "images/pull/", {"hosts": [edge.id], "reference": reference})

    body = {
        "host": edge.id,
        "image": reference,
        "name": name,
        "start": True,
        "spec": {"HostConfig": {"Memory": 64 << 20}},
    }
    container = lab.order("POST", "containers/", body)["target"]
    path = f"containers/{container['id']}"
    lab.until(lambda: lab.api("GET", f"{path}/")["state"] == "running", f"{name} running")
    assert lab.request("GET", f"{path}/logs/?tail=10").text.splitlines()[-1].endswith(tag)
    done = lab.api("POST", f"{path}/execs/", {"command": ["cat", "/tag"], "tty": False}, headers={"Prefer": "wait=10"})
    assert (done["exit_code"], done["output"].strip()) == (0, tag)
    assert lab.api("GET", f"{path}/stats/")
    assert any("sleep 600" in " ".join(row) for row in lab.api("GET", f"{path}/top/")["processes"])

    lab.order("POST", f"{path}/stop/", {"timeout": 1})
    lab.until(lambda: lab.api("GET", f"{path}/")["state"] == "exited", f"{name} exited")
    lab.order("DELETE", f"{path}/")
    lab.until(lambda: lab.api("GET", f"{path}/")["state"] == "removed", f"{name} removed")
    assert lab.api("GET", f"containers/?name={name}")["count"] == 0
