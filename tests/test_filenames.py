"""Names that come with files: whatever they are, what is left can be shown and used."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmx_rt.filenames import MOST, MOST_BYTES, extension, plain_extension, safe_name, unique


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("Crème brûlée 🍮.png", "Crème brûlée 🍮.png"),
        ("Cre\u0300me.txt", "Crème.txt"),
        # Folders, of any system
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\win.ini", "win.ini"),
        ("C:\\Users\\ada\\a.txt", "a.txt"),
        ("/", "file"),
        ("a/", "file"),
        ("..", "file"),
        ("....", "file"),
        # What hides
        (".htaccess", "htaccess"),
        ("...a.txt", "a.txt"),
        ("a.txt. . ", "a.txt"),
        ("a\0b\n\r\x7f.txt", "ab.txt"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("\u2066a\u2069\u200e\u200f\u061c\ufeff.txt", "a.txt"),
        ("a\u2028b.txt", "ab.txt"),
        ("\ud800a.txt", "a.txt"),
        ("  a   b .txt", "a b.txt"),
        # What means something to Windows
        ("con", "_con"),
        ("CON.txt", "_CON.txt"),
        ("nul .txt", "_nul.txt"),
        ("com1.tar.gz", "_com1.tar.gz"),
        ("LPT².txt", "_LPT².txt"),
        ("console.txt", "console.txt"),
        ("a.txt:evil", "a.txt_evil"),
        ('<a>|"b"?*.txt', "_a___b___.txt"),
        # Nothing
        ("", "file"),
        ("\0", "file"),
        ("\u200d", "file"),
        ("می\u200cخواهم.txt", "می\u200cخواهم.txt"),
    ],
)
def test_a_name_is_made_safe(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_a_long_name_keeps_its_extension() -> None:
    assert safe_name("a" * 500 + ".jpeg") == "a" * 115 + ".jpeg"
    assert safe_name("a." + "b" * 500) == "a." + "b" * 118
    long = safe_name("語" * 500 + ".jpeg")
    assert long == "語" * 78 + ".jpeg"
    assert len(long.encode()) <= MOST_BYTES


@given(st.text(max_size=400))
def test_whatever_it_was_it_is_safe(name: str) -> None:
    safe = safe_name(name)
    assert 0 < len(safe) <= MOST
    assert len(safe.encode()) <= MOST_BYTES
    assert not set(safe) & set('/\\\0<>:"|?*')
    assert safe[0] != "."
    assert safe[-1] not in ". "
    assert safe == unicodedata.normalize("NFC", safe)
    assert not {unicodedata.category(char) for char in safe} & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(safe) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
    assert safe_name(safe) == safe


@pytest.mark.parametrize(
    ("name", "end", "plain"),
    [("a.PNG", ".png", ".png"), ("a.tar.gz", ".gz", ".gz"), ("a", "", ""), (".png", "", ""), ("a.", "", ""),
     ("a.b c", "", ""), ("a." + "x" * 16, "", ""), ("a.né", ".né", ""), ("a.x-y", ".x-y", "")],
)  # fmt: skip
def test_the_extension_of_a_name(name: str, end: str, plain: str) -> None:
    assert (extension(name), plain_extension(name)) == (end, plain)


def test_of_equal_names_the_second_gets_a_number() -> None:
    assert unique(["a.txt", "A.TXT", "a.txt", "a (2).txt", "b"]) == [
        "a.txt", "A (2).TXT", "a (3).txt", "a (2) (2).txt", "b",
    ]  # fmt: skip


@given(st.lists(st.sampled_from(["a.txt", "A.txt", "a (2).txt", "ß", "SS", "x" * 120, "語" * 80]), max_size=30))
def test_no_two_names_are_equal(names: list[str]) -> None:
    given_names = unique(names)
    assert len({name.casefold() for name in given_names}) == len(names)
    assert all(len(name) <= MOST and len(name.encode()) <= MOST_BYTES for name in given_names)
