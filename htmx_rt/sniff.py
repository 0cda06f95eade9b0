"""What a file is, by its first bytes, and whether that is what was asked for. Pure.

The name of a file and the type that a browser gives it are what somebody says. Of kinds that can be told by their
first bytes those decide; of plain text, that it holds no NUL.
"""

from __future__ import annotations

import mimetypes
import re
from typing import Final

from .exceptions import ConfigurationError
from .filenames import extension, plain_extension

HEAD: Final = 4096  # bytes that are looked at
TEXT: Final = "text"
_BINARY: Final = "application/octet-stream"
_TOKEN: Final = re.compile(r"\.[A-Za-z0-9_+-]{1,15}|(?:[a-z0-9.+-]+)/(?:\*|[a-z0-9.+_-]+)")

_STARTS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"\0\0\1\0", "image/x-icon"),
    (b"%PDF-", "application/pdf"),
    (b"PK\3\4", "application/zip"),
    (b"PK\5\6", "application/zip"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"\0\0\1\xba", "video/mpeg"),
    (b"\0\0\1\xb3", "video/mpeg"),
    (b"OggS\0", "audio/ogg"),
    (b"fLaC\0", "audio/flac"),
    (b"ID3", "audio/mpeg"),
    (b"MThd\0\0\0\6", "audio/midi"),
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
    (b"SQLite format 3\0", "application/vnd.sqlite3"),
    (b"\x7fELF", "application/x-elf"),
    (b"MZ", "application/x-msdos-program"),
)
_BRANDS: Final = {b"avif": "image/avif", b"avis": "image/avif", b"heic": "image/heic", b"heix": "image/heic",
                  b"mif1": "image/heic", b"msf1": "image/heic", b"qt  ": "video/quicktime", b"M4A ": "audio/mp4",
                  b"M4B ": "audio/mp4"}  # fmt: skip
_RIFFS: Final = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}

_ZIP: Final = ("application/zip",)
_OLE: Final = ("application/x-ole-storage",)
_MP4: Final = ("video/mp4", "video/quicktime", "audio/mp4")
# What the first bytes of a file with that extension may be.
_KINDS: Final[dict[str, tuple[str, ...]]] = {
    ".png": ("image/png",), ".jpg": ("image/jpeg",), ".jpeg": ("image/jpeg",), ".jpe": ("image/jpeg",),
    ".gif": ("image/gif",), ".webp": ("image/webp",), ".avif": ("image/avif", "image/heic"), ".bmp": ("image/bmp",),
    ".heic": ("image/heic",), ".heif": ("image/heic",), ".tif": ("image/tiff",), ".tiff": ("image/tiff",),
    ".ico": ("image/x-icon", "image/png"), ".pdf": ("application/pdf",), ".gz": ("application/gzip",),
    ".7z": ("application/x-7z-compressed",), ".rar": ("application/vnd.rar",), ".mp4": _MP4, ".m4v": _MP4, ".m4a": _MP4,
    ".mov": _MP4, ".webm": ("video/webm",), ".mkv": ("video/webm",), ".avi": ("video/x-msvideo",),
    ".mpg": ("video/mpeg",), ".mpeg": ("video/mpeg",), ".mp3": ("audio/mpeg",), ".wav": ("audio/wav",),
    ".ogg": ("audio/ogg",), ".oga": ("audio/ogg",), ".ogv": ("audio/ogg",), ".opus": ("audio/ogg",),
    ".flac": ("audio/flac",), ".mid": ("audio/midi",), ".woff": ("font/woff",), ".woff2": ("font/woff2",),
    ".doc": _OLE, ".xls": (*_OLE, *_ZIP), ".ppt": _OLE, ".msg": _OLE,
} | dict.fromkeys((".zip", ".docx", ".xlsx", ".pptx", ".odt", ".ods", ".odp", ".epub", ".jar", ".kmz"), _ZIP)  # fmt: skip
_TEXTS: Final = frozenset(
    (".txt", ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".md", ".html", ".htm", ".xml", ".svg", ".yaml", ".yml",
     ".toml", ".ini", ".log", ".css", ".js", ".mjs", ".ts", ".py", ".sql", ".ics", ".vcf", ".srt", ".vtt", ".rtf")
)  # fmt: skip
_MAPS: Final = {".csv": "text/csv", ".md": "text/markdown", ".webp": "image/webp", ".avif": "image/avif",
                ".heic": "image/heic", ".jsonl": "application/jsonl", ".tsv": "text/tab-separated-values"}  # fmt: skip


def parse_accept(accept: str) -> tuple[str, ...]:
    """Return the parts of an `accept` attribute. Raised where one is none: `ConfigurationError`."""
    parts = tuple(part.strip().lower() for part in accept.split(",") if part.strip())
    for part in parts:
        if not _TOKEN.fullmatch(part):
            raise ConfigurationError(
                f"accept={accept!r}: {part!r} is no kind of file. Use extensions and types: '.csv,image/*,application/pdf'."
            )
    return parts


def sniff(head: bytes) -> str | None:
    """Return the type that the first bytes of a file tell; None where they tell none, as of plain text."""
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    if head[:4] == b"RIFF":
        return _RIFFS.get(head[8:12])
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return "image/bmp"
    # A frame of MPEG audio: sync, layer III, neither a bad bit rate nor a bad frequency.
    if len(head) > 2 and head[0] == 0xFF and head[1] in (0xFA, 0xFB, 0xF2, 0xF3) and head[2] >> 4 not in (0, 15):
        return "audio/mpeg"
    return None


def named(accept: tuple[str, ...], name: str, said: str = "") -> bool:
    """Tell whether a file may be taken by what is said of it: its name, or the type that a browser gave it."""
    return not accept or any(_fits(part, name, said) for part in accept)


def is_text(name: str) -> bool:
    """Tell whether a file of that name is plain text, which holds no NUL."""
    return extension(name) in _TEXTS


def genuine(accept: tuple[str, ...], name: str, head: bytes, said: str = "") -> bool:
    """Tell whether the first bytes of a file are what its name says and `accept` asks for; true where all is taken."""
    if not accept:
        return True
    found, end = sniff(head), extension(name)
    if not named(accept, name, said):
        return False
    if end in _TEXTS:
        # A page or a picture full of script must not come in as just any picture: `.svg` is to be asked for by name.
        asked = end != ".svg" or {".svg", "image/svg+xml"} & set(accept)
        return bool(asked) and found is None and b"\0" not in head
    if end in _KINDS:
        return found in _KINDS[end]
    if end in accept:
        return True  # the app knows what that is, and we do not
    return found is not None and any(_matches(part, found) for part in accept)


def kept_extension(accept: tuple[str, ...], name: str) -> str:
    """Return the extension under which a file may lie on disk: where only some kinds are taken, none but of these.

    What has come as a picture, by its first bytes, must not lie there as a program that a server runs.
    """
    end = plain_extension(name)
    return end if not accept or end in accept or end in _KINDS or end in _TEXTS else ""


def type_of(name: str, head: bytes) -> str:
    """Return the type of a file, from its first bytes and its extension; never from what a browser says."""
    found, end = sniff(head), extension(name)
    if end in _KINDS and found in _KINDS[end] and _KINDS[end] in (_ZIP, _OLE):
        return mimetypes.guess_type("x" + end)[0] or found or _BINARY  # a document in an archive
    if found:
        return found
    if end in _TEXTS:
        return _MAPS.get(end) or mimetypes.guess_type("x" + end)[0] or "text/plain"
    return _BINARY


def _fits(part: str, name: str, said: str) -> bool:
    end = extension(name)
    if part.startswith("."):
        return end == part
    known = _MAPS.get(end) or mimetypes.guess_type("x" + end)[0] if end else None
    return _matches(part, known or said.partition(";")[0].strip().lower())


def _matches(part: str, kind: str) -> bool:
    return kind.startswith(part[:-1]) if part.endswith("/*") else part == kind
