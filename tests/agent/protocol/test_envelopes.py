"""Sealing and unsealing; every way an envelope can be wrong has its code."""

import base64
import json
from dataclasses import replace

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.protocol.envelopes import Envelope, Refused, admit, seal, unseal
from agent.protocol.orders import OPS, BadOrder, check_args, lane_of

KEY = Ed25519PrivateKey.generate()
GOOD = Envelope("order-1", "host-1", 7, "container.start", {"id": "c1", "engine_id": "abc"}, 1000.0)


def verify(kid: str, sig: bytes, message: bytes) -> bool:
    try:
        KEY.public_key().verify(sig, message)
    except InvalidSignature:
        return False
    return kid == "k1"


def test_it_works() -> None:
    assert unseal(seal(GOOD, kid="k1", sign=KEY.sign), verify=verify) == GOOD


@pytest.mark.parametrize("name", ["body", "sig", "kid"])
def test_a_changed_part_is_refused(name: str) -> None:
    sealed = seal(GOOD, kid="k1", sign=KEY.sign)
    sealed[name] = base64.b64encode(b"other" + sealed[name].encode()).decode()
    with pytest.raises(Refused) as caught:
        unseal(sealed, verify=verify)
    assert caught.value.code == "bad_signature"


@pytest.mark.parametrize("sealed", [{}, {"body": 1, "sig": 2, "kid": 3}, {"body": "*", "sig": "*", "kid": "k1"}])
def test_what_is_no_envelope_is_malformed(sealed: dict[str, object]) -> None:
    with pytest.raises(Refused) as caught:
        unseal(sealed, verify=verify)
    assert caught.value.code == "malformed"


def test_an_unknown_op_is_refused_although_signed() -> None:
    with pytest.raises(Refused) as caught:
        unseal(seal(replace(GOOD, op="host.format"), kid="k1", sign=KEY.sign), verify=verify)
    assert caught.value.code == "bad_order"
    assert caught.value.order_id == "order-1"


def test_another_version_is_refused() -> None:
    body = json.dumps({**GOOD.__dict__, "v": 2, "kid": "k1"}).encode()
    sealed = {"body": base64.b64encode(body).decode(), "sig": base64.b64encode(KEY.sign(body)).decode(), "kid": "k1"}
    with pytest.raises(Refused) as caught:
        unseal(sealed, verify=verify)
    assert caught.value.code == "bad_version"


def test_another_host_and_a_late_order_are_refused() -> None:
    for host, now, code in (("host-2", 0.0, "wrong_host"), ("host-1", 1000.1, "expired")):
        with pytest.raises(Refused) as caught:
            admit(GOOD, host_id=host, server_now=now)
        assert caught.value.code == code
    admit(GOOD, host_id="host-1", server_now=1000.0)


def test_args_are_checked_by_name() -> None:
    check_args("image.tag", {"image": "a", "reference": "b:1"})
    for op, args in (
        ("image.tag", {"image": "a"}),
        ("image.tag", {"image": "a", "reference": "b", "shell": "x"}),
        ("x", {}),
        ("container.start", {}),
    ):
        with pytest.raises(BadOrder):
            check_args(op, args)


def test_orders_of_one_container_share_a_lane() -> None:
    lanes = {
        lane_of("container.create", {"id": "c1", "image": "i", "spec": {}}),
        lane_of("container.start", {"id": "c1", "engine_id": "e"}),
        lane_of("network.connect", {"network": {"id": "n"}, "container": {"id": "c1"}}),
    }
    assert lanes == {"container:c1"}
    assert all(lane_of(op, {}) for op in OPS)
