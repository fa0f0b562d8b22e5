"""Enrolling where nobody answers; what the control plane says of a join string is tested in tests/link."""

import contextlib
import socket

import pytest

from agent.link import enrol


def test_whoever_waits_is_told_why(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(enrol, "_SECONDS", 1.5)
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/agent/v1/enrol"
        with pytest.raises(enrol.EnrolmentFailed, match=r"does not answer: .*refused"):
            enrol._post(url, {})
    assert capsys.readouterr().err.count("does not answer yet") == 1
