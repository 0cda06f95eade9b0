"""Files on their way in, on disk: a folder for each owner, in it what has arrived and a note of what it is to become.

    <folder>/<owner>/<id>.json    what was announced, written once and whole
    <folder>/<owner>/<id>.part    what has arrived; its length is the offset
    <folder>/taken/<id>.png       handed over to the app, until its request ends

The length of the file is the only record of progress, so whoever dies at any moment loses what was not written yet and
nothing else. All of this blocks: it runs in threads. Names on disk are ours, never those that came with a file.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

from .exceptions import ConfigurationError

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows: one worker
    fcntl = None

log = logging.getLogger("htmx_rt")

TAKEN: Final = "taken"
IDLE: Final = 3600.0  # seconds after which a file gives way to a new one of the same person
SWEPT: Final = 500  # entries looked at in one go
_ID: Final = re.compile(r"[0-9a-f]{32}")
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class DiskFull(OSError):
    """Raised if there is no room for more."""


class TooMany(Exception):
    """Raised if somebody has too much under way; `what` is "count" or "bytes"."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class Busy(Exception):
    """Raised if somebody else writes to a file just now."""


class WrongOffset(Exception):
    """Raised if a file is not as long as whoever goes on with it thinks; `offset` is its length."""

    def __init__(self, offset: int) -> None:
        super().__init__(str(offset))
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Record:
    """What was announced of a file, and under which rules."""

    id: str
    field: str
    name: str
    said: str  # type, as the browser says
    size: int  # bytes
    accept: tuple[str, ...]
    max_size: int  # bytes
    max_files: int
    at: float  # Unix seconds


class Disk:
    """The folder. `free` tells how many bytes a folder has room for."""

    def __init__(self, root: Path, *, free: Callable[[Path], int] | None = None) -> None:
        self.root = root
        self._free = free or (lambda path: shutil.disk_usage(path).free)
        self._walk: Iterator[None] | None = None

    def prepare(self) -> None:
        """Make the folder. Raised where it is not ours alone: `ConfigurationError`."""
        with contextlib.suppress(FileExistsError):  # whatever that is
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        # In a directory that all may write to, somebody else may have been there first.
        if not self._ours():
            raise ConfigurationError(
                f"The folder of uploads, {str(self.root)!r}, belongs to somebody else. Name another: Realtime(uploads='…')."
            )
        if stat.S_IMODE(self.root.lstat().st_mode) & 0o077:
            self.root.chmod(0o700)
        (self.root / TAKEN).mkdir(mode=0o700, exist_ok=True)

    # Arriving

    def announce(self, owner: str, record: Record, *, most: int, most_bytes: int, reserve: int) -> None:
        """Note what is to come. Raised: `TooMany`, `DiskFull`."""
        folder = self._folder(owner)
        with full_disk(), self._alone(folder):
            there = sorted(self._all(owner))
            while len(there) >= most or sum(size for _, size, _ in there) + record.size > most_bytes:
                # What nobody goes on with gives way, so that whoever left pages half done is not locked out for a day.
                if not there or there[0][0] > time.time() - IDLE:
                    raise TooMany("count" if len(there) >= most else "bytes")
                self.remove(owner, there.pop(0)[2])
            self.check_room(record.size, reserve)
            os.close(os.open(self._part(owner, record.id), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            note, new = folder / f"{record.id}.json", folder / f"{record.id}.new"
            new.write_text(json.dumps(asdict(record)), "utf-8")
            os.replace(new, note)

    def check_room(self, size: int, reserve: int) -> None:
        """Raise `DiskFull` where `size` more bytes would leave less than `reserve`."""
        if self._free(self.root) - size < reserve:
            raise DiskFull(errno.ENOSPC, "The reserve would be touched.")

    def find(self, owner: str, id: str) -> tuple[Record, int] | None:
        """Return what was announced and how much of it is there; None where nothing of it is, or it is not theirs."""
        if not _ID.fullmatch(id) or (record := _read(self.root / owner / f"{id}.json")) is None:
            return None
        try:
            return record, self._part(owner, id).stat().st_size
        except OSError:
            return None

    def open(self, owner: str, record: Record, offset: int) -> Writer:
        """Go on with a file at `offset`. Raised: `Busy`, `WrongOffset`, `FileNotFoundError`."""
        return Writer(self._part(owner, record.id), record, offset)

    def head(self, owner: str, id: str, most: int) -> bytes:
        """Return the first bytes of what has arrived."""
        with self._part(owner, id).open("rb") as file:
            return file.read(most)

    def remove(self, owner: str, id: str) -> None:
        """Forget a file that was not handed over."""
        for path in (self.root / owner / f"{id}.json", self._part(owner, id)):
            path.unlink(missing_ok=True)

    # Handing over

    def take(self, owner: str, record: Record, end: str) -> Path:
        """Move a whole file to where the app finds it; of all who try at once, one does.

        Raised: `FileNotFoundError` where it was taken before, `Busy` where it is written to, `WrongOffset`.
        """
        to = self.root / TAKEN / (record.id + end)
        with Writer(self._part(owner, record.id), record, record.size):  # nobody can add to it, or cut it, from here on
            os.utime(self._part(owner, record.id))  # from here on it is young: nobody clears it away
            os.rename(self._part(owner, record.id), to)
        return to

    def give_back(self, owner: str, record: Record, path: Path) -> None:
        """Undo `take`."""
        with contextlib.suppress(OSError):
            os.rename(path, self._part(owner, record.id))

    def taken(self, owner: str, id: str) -> None:
        """Drop the note of what was handed over."""
        (self.root / owner / f"{id}.json").unlink(missing_ok=True)

    def new(self, id: str, end: str) -> Path:
        """Return where a file goes that came with the form itself."""
        return self.root / TAKEN / (id + end)

    # Clearing away

    def sweep(self, before: float) -> bool:
        """Forget what nobody has touched since `before`, Unix seconds, a part at a time; True at the end of a round."""
        if not self._ours():
            return True
        walk = self._walk = self._walk or self._steps(before)
        for _ in range(SWEPT):
            if next(walk, walk) is walk:
                self._walk = None
                return True
        return False

    def _steps(self, before: float) -> Iterator[None]:
        for folder in _entries(self.root):
            if folder.name != TAKEN and not _ID.fullmatch(folder.name):
                continue  # none of ours: somebody may have named a folder with other things in it
            for file in _entries(folder):
                yield
                if not _ID.fullmatch(file.name.partition(".")[0]):
                    continue
                with contextlib.suppress(OSError):
                    # A note lives as long as its file does, which every byte that comes makes younger.
                    part = Path(file).with_suffix(".part")
                    if max(one.stat().st_mtime for one in (Path(file), part) if one.exists()) < before:
                        os.unlink(file)
            yield
            if folder.name != TAKEN:
                with contextlib.suppress(OSError):
                    if os.stat(folder).st_mtime < before:
                        Path(folder, ".lock").unlink(missing_ok=True)
                        os.rmdir(folder)

    # Inside

    def _ours(self) -> bool:
        with contextlib.suppress(OSError):
            found = self.root.lstat()
            return stat.S_ISDIR(found.st_mode) and (not hasattr(os, "getuid") or found.st_uid == os.getuid())
        return False

    def _folder(self, owner: str) -> Path:
        folder = self.root / owner
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def _part(self, owner: str, id: str) -> Path:
        return self.root / owner / f"{id}.part"

    def _all(self, owner: str) -> Iterator[tuple[float, int, str]]:
        """Yield when each file of somebody was touched last, its announced size, and its id."""
        for file in _entries(self.root / owner):
            if file.name.endswith(".json") and (record := _read(Path(file))) is not None:
                with contextlib.suppress(OSError):
                    yield self._part(owner, record.id).stat().st_mtime, record.size, record.id

    @contextlib.contextmanager
    def _alone(self, folder: Path) -> Iterator[None]:
        """Keep others from counting at the same time."""
        descriptor = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            if fcntl is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


class Writer:
    """One file, open to nobody else. Raised: as by `Disk.open`."""

    def __init__(self, path: Path, record: Record, offset: int) -> None:
        self.record = record
        self._start = offset
        self._descriptor = os.open(path, os.O_WRONLY)
        try:
            if fcntl is not None:
                try:
                    fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise Busy from None
            if not path.exists():  # taken by whoever had the lock before
                raise FileNotFoundError(path)
            self.offset = os.fstat(self._descriptor).st_size
            if self.offset != offset:
                raise WrongOffset(self.offset)
        except BaseException:
            os.close(self._descriptor)
            raise

    def write(self, data: bytes) -> None:
        """Add to it. Raised where there is no room: `DiskFull`."""
        view = memoryview(data)
        with full_disk():
            while view:
                written = os.pwrite(self._descriptor, view, self.offset) if hasattr(os, "pwrite") else self._seek(view)
                self.offset += written
                view = view[written:]

    def _seek(self, view: memoryview) -> int:
        os.lseek(self._descriptor, self.offset, os.SEEK_SET)
        return os.write(self._descriptor, view)

    def undo(self) -> None:
        """Drop what was added."""
        os.truncate(self._descriptor, self._start)
        self.offset = self._start

    def close(self) -> None:
        """Let others have it."""
        os.close(self._descriptor)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """Raise `DiskFull` where the system says so in one of its ways."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL and not isinstance(error, DiskFull):
            raise DiskFull(error.errno, error.strerror) from error
        raise


def _entries(folder: str | os.PathLike[str]) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            yield from found
    except OSError:
        return


def _read(path: Path) -> Record | None:
    try:
        found = json.loads(path.read_text("utf-8"))
        return Record(**{**found, "accept": tuple(found["accept"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
