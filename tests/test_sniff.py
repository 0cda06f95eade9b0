"""What a file is, by its first bytes: names and what browsers say count only as far as these agree."""

from __future__ import annotations

import pytest

from htmx_rt.exceptions import ConfigurationError
from htmx_rt.sniff import genuine, named, parse_accept, sniff, type_of

HEADS = {
    "image/png": b"\x89PNG\r\n\x1a\n\0\0", "image/jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF", "image/gif": b"GIF89a",
    "image/webp": b"RIFF\x10\0\0\0WEBPVP8 ", "image/bmp": b"BM\x10\0\0\0\0\0\0\0", "image/avif": b"\0\0\0\x1cftypavif",
    "application/pdf": b"%PDF-1.7", "application/zip": b"PK\3\4\x14\0", "application/gzip": b"\x1f\x8b\x08\0",
    "video/mp4": b"\0\0\0\x20ftypisom", "video/webm": b"\x1aE\xdf\xa3", "video/quicktime": b"\0\0\0\x14ftypqt  ",
    "audio/mpeg": b"ID3\4", "audio/wav": b"RIFF\x10\0\0\0WAVEfmt ", "audio/ogg": b"OggS\0\2",
    "application/x-elf": b"\x7fELF\2",
}  # fmt: skip


@pytest.mark.parametrize("kind", HEADS)
def test_a_kind_is_told_by_its_first_bytes(kind: str) -> None:
    assert sniff(HEADS[kind]) == kind
    assert sniff(b"x" + HEADS[kind]) is None


@pytest.mark.parametrize("head", [b"", b"B", b"BMI,weight\n", b"RIFF", b"hello", b"GIF8", b"\xff\xfe\0"])
def test_what_cannot_be_told(head: bytes) -> None:
    assert sniff(head) is None


def test_accept_is_read_as_browsers_do() -> None:
    assert parse_accept(" .CSV, image/*,application/pdf ,") == (".csv", "image/*", "application/pdf")
    assert parse_accept("") == ()
    for bad in ("csv", "*", "image/", ".a b", "image/*;q=1", "<script>"):
        with pytest.raises(ConfigurationError, match="is no kind of file"):
            parse_accept(bad)


@pytest.mark.parametrize(
    ("accept", "name", "said", "taken"),
    [
        (".csv", "a.csv", "", True), (".csv", "a.CSV", "application/vnd.ms-excel", True), (".csv", "a.csv.exe", "", False),
        ("text/csv", "a.csv", "application/vnd.ms-excel", True), ("image/*", "a.png", "", True),
        ("image/*", "a.exe", "image/png", False), ("image/*", "a", "image/png", True), ("image/*", "a", "", False),
        ("image/png", "a.jpg", "image/png", False), ("", "a.exe", "", True), (".png,.csv", "a.csv", "", True),
    ],
)  # fmt: skip
def test_what_is_said_of_a_file(accept: str, name: str, said: str, taken: bool) -> None:
    assert named(parse_accept(accept), name, said) is taken


@pytest.mark.parametrize(
    ("accept", "name", "head", "taken"),
    [
        ("image/*", "a.png", HEADS["image/png"], True),
        ("image/*", "a.jpg", HEADS["image/png"], False),
        ("image/*", "a.png", b"<svg onload=alert(1)>", False),
        ("image/*", "a.png", b"", False),
        ("image/*", "a.svg", b"<svg>", False),  # full of script, if it likes
        ("image/svg+xml", "a.svg", b"<svg>", True),
        (".svg", "a.svg", b"<svg>", True),
        ("image/*", "a", HEADS["image/png"], True),
        ("image/*", "a", HEADS["application/zip"], False),
        (".csv", "a.csv", b"a,b\n1,2", True),
        (".csv", "a.csv", b"", True),
        (".csv", "a.csv", b"a\0b", False),
        (".csv", "a.csv", HEADS["application/zip"], False),
        (".json", "a.json", b'{"a": 1}', True),
        (".docx", "a.docx", HEADS["application/zip"], True),
        (".docx", "a.docx", HEADS["application/x-elf"], False),
        (".pdf", "a.pdf", HEADS["application/pdf"], True),
        (".pdf", "a.pdf", HEADS["application/x-elf"], False),
        (".mp4", "a.mp4", HEADS["video/mp4"], True),
        (".dwg", "a.dwg", b"AC1032", True),  # the app knows what that is
        ("", "a.png", b"anything", True),
    ],
)
def test_what_is_in_a_file(accept: str, name: str, head: bytes, taken: bool) -> None:
    said = "image/png" if name == "a" else ""
    assert genuine(parse_accept(accept), name, head, said) is taken


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("a.png", HEADS["image/png"], "image/png"), ("a.txt", HEADS["image/png"], "image/png"),
        ("a.csv", b"a,b", "text/csv"), ("a.txt", b"", "text/plain"), ("a.html", b"<p>", "text/html"),
        ("a.zip", HEADS["application/zip"], "application/zip"), ("a.bin", b"x", "application/octet-stream"),
        ("a", b"", "application/octet-stream"),
    ],
)  # fmt: skip
def test_the_type_of_a_file_is_not_what_somebody_says(name: str, head: bytes, kind: str) -> None:
    assert type_of(name, head) == kind
