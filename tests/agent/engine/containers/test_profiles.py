"""AppArmor's profile and SELinux's labels: texts alone, for a machine without either; and that without them nothing
changes.
"""

from pathlib import Path

import pytest

from agent.engine.containers.oci import apparmor, labels
from agent.engine.containers.oci.labels import Labels
from agent.engine.errors import Invalid
from tests.agent.engine.conftest import RunningEngine
from tests.agent.engine.containers.test_spec import built

GOLDEN = Path(__file__).with_name("apparmor.profile")
LXC = """# made by the policy
process = "system_u:system_r:container_t:s0"
file = "system_u:object_r:container_file_t:s0"
"""


def test_the_profile() -> None:
    assert apparmor.text() == GOLDEN.read_text()


def test_the_profile_without_a_librarys_parts() -> None:
    found = apparmor.text("other", abi=False, tunables=False, base=False, daemon="engine-profile").splitlines()
    assert found[0] == "@{PROC}=/proc/"
    assert not any(word in line for line in found for word in ("include", "abi "))
    assert "  signal (receive) peer=engine-profile," in found
    assert "  ptrace (trace,read,tracedby,readby) peer=other," in found


@pytest.mark.skipif(apparmor.present(), reason="this kernel has AppArmor")
def test_without_apparmor_an_option_changes_nothing(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok("create --name aa --security-opt apparmor=nosuch busy true")
    seen = docker.inspect("aa")
    assert (seen["AppArmorProfile"], seen["HostConfig"]["SecurityOpt"]) == ("", ["apparmor=nosuch"])
    docker.ok("start -a aa")
    assert apparmor.profile_of("nosuch", privileged=False) == ""


def test_a_profile_reaches_the_specification() -> None:
    document = built(prepared={"apparmor": "longshore-default"})
    assert document["process"]["apparmorProfile"] == "longshore-default"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), ("system_u:system_r:container_t:s0:c1,c2", "system_u:object_r:container_file_t:s0:c1,c2")),
        (("disable",), ("", "")),
        (("type:svirt_t",), ("system_u:system_r:svirt_t:s0:c1,c2", "system_u:object_r:container_file_t:s0:c1,c2")),
        (("level:s0:c9",), ("system_u:system_r:container_t:s0:c9", "system_u:object_r:container_file_t:s0:c9")),
        (("user:me", "filetype=mine_t"), ("me:system_r:container_t:s0:c1,c2", "me:object_r:mine_t:s0:c1,c2")),
    ],
)
def test_labels(options: tuple[str, ...], expected: tuple[str, str]) -> None:
    assert labels.make(options, labels.parse(LXC), "c1,c2") == Labels(*expected)


def test_a_label_that_is_none() -> None:
    with pytest.raises(Invalid, match="Bad label option"):
        labels.make(("bogus",), labels.parse(LXC), "c1,c2")
    assert labels.make(("bogus",), {}, "c1,c2") == Labels()
    first, second = (int(word[1:]) for word in labels.categories().split(","))
    assert 0 <= first < second < labels.CATEGORIES


def test_labels_reach_the_specification() -> None:
    document = built(prepared={"labels": Labels("process", "mount")})
    assert (document["process"]["selinuxLabel"], document["linux"]["mountLabel"]) == ("process", "mount")
