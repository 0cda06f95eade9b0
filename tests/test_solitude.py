from __future__ import annotations

import logging
import secrets
import subprocess
import sys

import pytest

from htmx_rt.solitude import Solitude


def claim_elsewhere(name: str, fingerprint: str) -> str:
    script = f"from htmx_rt.solitude import Solitude; print(Solitude({name!r}, {fingerprint!r}).claim())"
    return subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.strip()


def test_a_second_process_is_warned_loudly(caplog: pytest.LogCaptureFixture) -> None:
    fingerprint = secrets.token_hex(8)
    mine, other = Solitude("app", fingerprint), Solitude("app", fingerprint)
    try:
        assert mine.claim()
        assert mine.claim()
        with caplog.at_level(logging.WARNING, "htmx_rt"):
            assert not other.claim()
        assert "NOT see each other" in caplog.text
        assert claim_elsewhere("app", fingerprint) == "False"
        assert claim_elsewhere("other", fingerprint) == "True"
        mine.release()
        mine.release()
        assert claim_elsewhere("app", fingerprint) == "True"
    finally:
        mine.release()


def test_where_no_file_can_be_made_nobody_is_warned(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/proc/no-such-folder")
    assert Solitude("app", "x").claim()
    assert not caplog.records
