"""The files of a form, taken by the app: those sent before, by their handles, and those that came with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from . import protocol
from .eventual import Eventual, Home
from .exceptions import BadUpload
from .filenames import safe_name, unique
from .sniff import HEAD, genuine, is_text, kept_extension, type_of
from .upload_disk import Busy, Disk, DiskFull, Record, WrongOffset, full_disk

PIECE: Final = 1024 * 1024  # bytes that are in memory at once


class Policy(NamedTuple):
    """What a field takes."""

    field: str
    accept: tuple[str, ...]
    max_size: int  # bytes
    max_files: int


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was handed over: `name` may be shown, `path` is where it lies under a name of ours."""

    name: str
    type: str  # by its first bytes and extension
    size: int  # bytes
    path: Path
    id: str
    _home: Home = field(repr=False, compare=False)

    def save(self, to: str | os.PathLike[str], *, replace: bool = False) -> Eventual[Path]:
        """Move it into the folder `to`, under its generated name, or to the file `to`; return where it is.

        Raises `FileExistsError` where that file is there already, unless `replace`.
        """

        async def move() -> Path:
            return await asyncio.to_thread(self._move, Path(to), replace)

        return Eventual(move(), self._home)

    def _move(self, to: Path, replace: bool) -> Path:
        path = to / self.path.name if to.is_dir() else to
        with contextlib.ExitStack() as back:
            if not replace:
                # A folder that nobody has made would be a file, and the second file would take the place of the first.
                try:
                    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
                except FileExistsError:
                    raise FileExistsError(
                        f"{self.name!r} is not saved: {str(path)!r} is a file already. If it should be a folder, make "
                        "it before files are saved into it; to write over the file, save(to, replace=True)."
                    ) from None
                back.callback(path.unlink, missing_ok=True)
            self._place(path)
            back.pop_all()
        path.chmod(0o644)
        return path

    def _place(self, path: Path) -> None:
        try:
            os.replace(self.path, path)
        except OSError:
            # Another file system: under its name only when all of it is there.
            half = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
            try:
                shutil.copyfile(self.path, half)
                os.replace(half, path)
            finally:
                half.unlink(missing_ok=True)
            self.path.unlink(missing_ok=True)


class Taker:
    """Takes the files of one form for one person."""

    def __init__(
        self, disk: Disk, owner: str, field: str, *, say: Callable[..., str], home: Home, reserve: int
    ) -> None:
        self.owner = owner
        self.field = field
        self.say = say
        self._disk = disk
        self._home = home
        self._reserve = reserve

    def read(self, form: Any, files: Any) -> tuple[list[object], list[Any]]:
        """Return the tokens of a form's field, and the files that came with it."""
        tokens = _values(form, protocol.UPLOAD_FIELD + self.field)
        sent = [*_values(form, self.field), *(_values(files, self.field) if files is not None else ())]
        return list(dict.fromkeys(tokens)), [one for one in sent if not isinstance(one, str | bytes) and _name_of(one)]

    def take(self, policy: Policy, ids: list[str], plain: list[Any]) -> list[Upload]:
        """Take all, or none. Raised: `BadUpload`. Blocks."""
        if len(ids) + len(plain) > policy.max_files:
            raise self._bad("count", n=policy.max_files)
        records = [self._check(policy, id) for id in ids]
        with contextlib.ExitStack() as back:
            taken = [self._claim(policy, record, back) for record in records]
            taken += [self._receive(policy, one, back) for one in plain]
            back.pop_all()
        for record in records:
            self._disk.taken(self.owner, record.id)
        names = unique(name for name, *_ in taken)
        return [
            Upload(name, kind, size, path, path.name.partition(".")[0], self._home)
            for name, (_, kind, size, path) in zip(names, taken, strict=True)
        ]

    def _check(self, policy: Policy, id: str) -> Record:
        """Return what was announced, where it is here and as it should be."""
        found = self._disk.find(self.owner, id)
        if found is None or found[0].field != self.field:
            raise self._bad("gone")
        record, offset = found
        if offset != record.size:
            raise self._bad("unfinished", record.name)
        if record.size > policy.max_size:
            raise self._bad("size", record.name, size=shown(policy.max_size))
        try:
            head = self._disk.head(self.owner, id, HEAD)
        except FileNotFoundError:
            raise self._bad("gone", record.name) from None
        if not genuine(policy.accept, record.name, head, record.said):
            raise self._bad("type", record.name)
        return record

    def _claim(self, policy: Policy, record: Record, back: contextlib.ExitStack) -> tuple[str, str, int, Path]:
        try:
            path = self._disk.take(self.owner, record, kept_extension(policy.accept, record.name))
        except FileNotFoundError:
            raise self._bad("gone", record.name) from None
        except (Busy, WrongOffset):
            raise self._bad("unfinished", record.name) from None
        back.callback(self._disk.give_back, self.owner, record, path)
        with path.open("rb") as file:
            head = file.read(HEAD)
        return record.name, type_of(record.name, head), record.size, path

    def _receive(self, policy: Policy, sent: Any, back: contextlib.ExitStack) -> tuple[str, str, int, Path]:
        """Copy a file that came with the form, under the same rules."""
        name = safe_name(_name_of(sent))
        said = str(getattr(sent, "content_type", None) or getattr(sent, "mimetype", None) or "")
        path = self._disk.new(secrets.token_hex(16), kept_extension(policy.accept, name))
        back.callback(path.unlink, missing_ok=True)
        size, head, text = 0, b"", bool(policy.accept) and is_text(name)
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file, full_disk():
                for piece in _pieces(sent):
                    size += len(piece)
                    head = head or piece[:HEAD]
                    if size > policy.max_size:
                        raise self._bad("size", name, size=shown(policy.max_size))
                    if text and b"\0" in piece:
                        raise self._bad("type", name)
                    self._disk.check_room(len(piece), self._reserve)
                    file.write(piece)
        except DiskFull:
            raise self._bad("full", name) from None
        if not genuine(policy.accept, name, head, said):
            raise self._bad("type", name)
        return name, type_of(name, head), size, path

    def _bad(self, problem: str, name: str = "", *, n: int | None = None, **values: str) -> BadUpload:
        text = self.say(f"upload.{problem}", n=n, **values)
        return BadUpload(problem, f"{name}: {text}" if name else text, field=self.field, name=name)


def _values(form: Any, name: str) -> Iterable[Any]:
    """Return what a form has under a name: of Starlette, Werkzeug, Django (`getlist`), Litestar (`getall`), or a dict."""
    if hasattr(form, "getlist"):
        return list(form.getlist(name))
    if hasattr(form, "getall"):
        return list(form.getall(name, []))
    found = form.get(name, [])
    return list(found) if isinstance(found, list | tuple) else [found]


def _name_of(sent: Any) -> str:
    return str(getattr(sent, "filename", None) or getattr(sent, "name", None) or "")


def _pieces(sent: Any) -> Iterator[bytes]:
    """Yield a file of any framework: `stream` of Werkzeug, `file` of Starlette, Litestar and Django."""
    file: BinaryIO = getattr(sent, "stream", None) or getattr(sent, "file", None) or sent
    file.seek(0)
    while piece := file.read(PIECE):
        yield piece


def shown(size: int) -> str:
    """Return a size as people say it."""
    number, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            break
        number /= 1000
    return f"{number:.1f}".removesuffix(".0") + f" {unit}"
