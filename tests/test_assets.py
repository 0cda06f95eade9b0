from __future__ import annotations

from pathlib import Path

import pytest

from htmx_rt.assets import HTMX, Assets


def test_the_package_brings_what_head_needs() -> None:
    assets = Assets()
    for name in ("htmx-rt.js", "htmx-rt.css", *HTMX.values()):
        assert assets.path(name) == f"/static/{assets.digest}/{name}"
        assert assets.files[name].body


def test_the_digest_changes_with_any_byte_or_name(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_bytes(b"one")
    first = Assets(tmp_path).digest
    (tmp_path / "a.js").write_bytes(b"two")
    second = Assets(tmp_path).digest
    (tmp_path / "a.js").rename(tmp_path / "b.js")
    assert len({first, second, Assets(tmp_path).digest}) == 3


def test_only_known_kinds_are_served(tmp_path: Path) -> None:
    for name in ("a.js", "VERSIONS", "secret.py", ".hidden"):
        (tmp_path / name).write_bytes(b"x")
    assert list(Assets(tmp_path).files) == ["a.js"]


def test_a_missing_file_is_told_with_those_there_are(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_bytes(b"x")
    with pytest.raises(FileNotFoundError, match=r"a\.js"):
        Assets(tmp_path).path("b.js")
