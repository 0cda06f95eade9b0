"""The built files: what there is, under which name they are served for ever, and what version they make."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

STATIC: Final = Path(__file__).parent / "static"
HTMX: Final = {4: "vendor/htmx4.min.js", 2: "vendor/htmx2.min.js"}
_TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".map": "application/json",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is served."""

    body: bytes
    type: str


class Assets:
    """All built files, read once; their common digest is part of every address."""

    def __init__(self, folder: Path = STATIC) -> None:
        self.files: dict[str, Asset] = {}
        digest = hashlib.sha256()
        for path in sorted(folder.rglob("*")):
            kind = _TYPES.get(path.suffix)
            if kind is None or not path.is_file():
                continue
            name, body = path.relative_to(folder).as_posix(), path.read_bytes()
            self.files[name] = Asset(body, kind)
            digest.update(name.encode() + b"\0" + hashlib.sha256(body).digest())
        self.digest = digest.hexdigest()[:16]

    def path(self, name: str) -> str:
        """Return the address of `name` below the prefix."""
        if name not in self.files:
            raise FileNotFoundError(
                f"{name!r} is not among the built files of htmx_rt: {', '.join(self.files) or 'none'}."
            )
        return f"/static/{self.digest}/{name}"
