from __future__ import annotations

import hashlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import URLSafeSerializer

from htmx_rt.exceptions import ConfigurationError
from htmx_rt.signing import Grant, Signer

from .kit import SECRET

ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
GRANT = Grant("board:7", "r", "browser", "ada", "1~epoch~5", 1000.0, 1900.0, "en")


@pytest.fixture
def signer() -> Signer:
    return Signer(SECRET, name="app")


def test_a_grant_is_read_as_it_was_signed(signer: Signer) -> None:
    assert signer.read_grant(signer.sign_grant(GRANT)) == GRANT


def test_no_byte_of_a_token_can_be_changed(signer: Signer) -> None:
    token = signer.sign_grant(GRANT)
    for place, char in enumerate(token):
        # Half the alphabet away: the last character of base64 has low bits that mean nothing.
        other = ALPHABET[(ALPHABET.index(char) + 32) % 64] if char in ALPHABET else "A"
        assert signer.read_grant(token[:place] + other + token[place + 1 :]) is None, place


def test_no_token_can_be_cut_or_grown(signer: Signer) -> None:
    token = signer.sign_grant(GRANT)
    assert all(signer.read_grant(token[:length]) is None for length in range(len(token)))
    assert signer.read_grant(token + "A") is None
    assert signer.read_grant(token + ".") is None


@given(st.one_of(st.text(), st.none(), st.integers(), st.lists(st.text())))
def test_anything_else_is_no_grant(value: object) -> None:
    assert Signer(SECRET, name="app").read_grant(value) is None


def test_each_purpose_and_each_name_has_a_salt_of_its_own(signer: Signer) -> None:
    token = signer.dumps("identity", list(GRANT))
    assert signer.read_grant(token) is None
    assert signer.loads("toasts", token) is None
    assert Signer(SECRET, name="other").loads("identity", token) is None


def test_a_very_long_token_is_not_even_looked_at(signer: Signer) -> None:
    assert signer.loads("toasts", signer.dumps("toasts", [str(number) for number in range(5000)])) is None
    assert signer.read_grant("A" * 1_000_000) is None


def test_the_newest_key_signs_and_all_verify() -> None:
    old, new = "o" * 32, "n" * 32
    before, both, after = Signer(old, name="app"), Signer([new, old], name="app"), Signer(new, name="app")
    assert both.read_grant(before.sign_grant(GRANT)) == GRANT
    assert after.read_grant(both.sign_grant(GRANT)) == GRANT
    assert after.read_grant(before.sign_grant(GRANT)) is None


def test_the_fingerprint_is_of_the_newest_key_and_tells_nothing() -> None:
    assert Signer(["n" * 32, "o" * 32], name="app").fingerprint == Signer("n" * 32, name="app").fingerprint
    assert "n" * 4 not in Signer("n" * 32, name="app").fingerprint


def test_text_and_bytes_of_a_secret_are_the_same(signer: Signer) -> None:
    assert Signer(SECRET.encode(), name="app").read_grant(signer.sign_grant(GRANT)) == GRANT


@pytest.mark.parametrize(
    "secret", ["", "short", "x" * 31, b"x" * 31, ["x" * 32, "short"], [], None, [None], 7, {"a": 1}.keys()], ids=repr
)
def test_a_missing_or_short_secret_refuses_to_start(secret: object) -> None:
    with pytest.raises(ConfigurationError, match=r"32"):
        Signer(secret, name="app")  # type: ignore[arg-type]


def test_a_secret_counts_in_bytes() -> None:
    Signer("ä" * 16, name="app")
    with pytest.raises(ConfigurationError, match="31 bytes"):
        Signer("x" * 31, name="app")


@given(st.lists(st.one_of(st.text(max_size=40), st.none(), st.integers(), st.booleans()), max_size=60))
def test_tokens_are_those_of_itsdangerous(value: list[object]) -> None:
    keys = ["old" * 12, "new" * 12]
    theirs = URLSafeSerializer(
        keys, salt="htmx-rt.app.toasts", signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
    )
    ours = Signer(keys[::-1], name="app")
    token = ours.dumps("toasts", value)
    assert theirs.loads(token) == ours.loads("toasts", token) == ours.loads("toasts", theirs.dumps(value)) == value


def test_a_forged_token_is_not_even_unpacked(signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    compressed = signer.dumps("toasts", ["x" * 2000])
    assert compressed.startswith(".")
    assert signer.loads("toasts", compressed) == ["x" * 2000]
    monkeypatch.setattr("zlib.decompress", lambda *args: pytest.fail("unpacked before it was known to be ours"))
    assert signer.loads("toasts", compressed[:-3] + "AAA") is None
