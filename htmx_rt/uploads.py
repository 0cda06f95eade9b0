"""Uploads: files that are sent in pieces before their form is, and handed to the app with it, each exactly once.

A macro writes what a field takes, signed for whoever the page is for. Each file is announced under those rules, arrives
in pieces at an offset that the server knows (as of tus 1.0, https://tus.io/protocols/resumable-upload), and waits on
disk. The form carries signed handles, and `consume` moves the files to where the app finds them:

    files = await rt.uploads.consume(form, "files")     # [Upload(name, type, size, path, id)]
    await files[0].save("/srv/pictures")                # what is not saved goes with the request
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from .catalogue import Catalogue
from .eventual import Eventual, Home
from .exceptions import BadUpload, ConfigurationError, Refused
from .filenames import safe_name
from .identity import Identity, RequestState
from .signing import Signer
from .sniff import genuine, is_text, named, parse_accept
from .types import Limits
from .upload_disk import Disk, DiskFull, Record, TooMany, Writer
from .upload_forms import Policy, Taker, Upload

log = logging.getLogger("htmx_rt")

ROUND: Final = 600.0  # seconds between looks for what nobody has claimed
STEP: Final = 1.0  # seconds between two parts of one look
AGAIN: Final = 60  # seconds until it is worth trying again on a full disk
EARLY: Final = 512  # bytes after which the kind of a file can be told
_SIZE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(B|kB|KB|MB|GB|KiB|MiB|GiB)?")
_UNITS: Final = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


@dataclass(frozen=True, slots=True)
class Arriving:
    """A file on its way in, and how much of it is there."""

    record: Record
    offset: int


class Uploads:
    """`rt.uploads`."""

    def __init__(
        self,
        *,
        folder: str | Path | None,
        name: str,
        signer: Signer,
        identity: Identity,
        limits: Limits,
        words: Catalogue,
        home: Home,
        request: Callable[[str], RequestState],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.clock = clock
        self.disk = Disk(Path(folder).resolve() if folder else Path(tempfile.gettempdir()) / f"htmx-rt-{name}-uploads")
        self._signer = signer
        self._identity = identity
        self._limits = limits
        self._words = words
        self._home = home
        self._request = request
        self._named = folder is not None
        self._ready = False
        self._lock = threading.Lock()
        self.turns: dict[str, object] = {}  # which request adds to which file
        self._next = 0.0  # Unix seconds of the next look

    # What an app asks

    def consume(
        self,
        form: Any,
        field: str,
        *,
        files: Any = None,  # where a framework has files apart from the form: request.files, request.FILES
        accept: str | None = None,
        max_size: int | str | None = None,
        max_files: int | None = None,
    ) -> Eventual[list[Upload]]:
        """Hand over the files of a form's field, each exactly once, whether sent before or with the form.

        What may be sent is what the macro on the page said; `accept`, `max_size` and `max_files` take the place of what it
        said. For a form without the macro `accept` is needed ("" for all kinds). Raised, and nothing is handed over:
        `BadUpload`.
        """
        state = self._request("rt.uploads.consume()")
        self._identity.speak(state)
        owner = self._identity.owner(state)
        said = (accept, max_size, max_files)
        self._said(Policy(field, (), int(self._limits.upload_bytes_per_person), 1), *said)  # a mistake raises at once
        say = partial(self._words.say, self._words.choose(state.header(b"accept-language") or ""))
        taker = Taker(self.disk, owner, field, say=say, home=self._home, reserve=int(self._limits.upload_reserve))
        return Eventual(self._consume(taker, state, form, files, said), self._home)

    def _said(self, of_page: Policy, accept: str | None, max_size: int | str | None, max_files: int | None) -> Policy:
        """Return the rules of a page with those that the app says itself in their place."""
        kinds = ",".join(of_page.accept) if accept is None else accept
        most = of_page.max_files if max_files is None else max_files
        return self.rules(of_page.field, kinds, of_page.max_size if max_size is None else max_size, most)

    async def _consume(
        self, taker: Taker, state: RequestState, form: Any, files: Any, said: tuple[Any, Any, Any]
    ) -> list[Upload]:
        tokens, plain = taker.read(form, files)
        ids: list[str] = []
        policy: Policy | None = None
        for token in tokens:
            if found := self._read_policy(taker.owner, token):
                policy = policy or (found if found.field == taker.field else None)
            elif token:
                ids.append(self._read_handle(taker, token))
        if not ids and not plain:
            return []
        if policy is None and said[0] is not None:  # a form without the macro
            policy = Policy(taker.field, (), int(self._limits.upload_bytes_per_person), 1)
        # Whoever leaves the page's rules out does not get rid of them: which kinds are taken has to be said by somebody.
        if policy is None:
            raise BadUpload("unknown", taker.say("upload.unknown"), field=taker.field)
        policy = self._said(policy, *said)
        await asyncio.to_thread(self.prepare)
        taken = await asyncio.to_thread(taker.take, policy, ids, plain)
        state.uploads = [*(state.uploads or ()), *(upload.path for upload in taken)]
        return taken

    def clear(self, state: RequestState) -> None:
        """Drop what a request was handed and has not saved; in a thread, for nobody waits for it."""
        paths, state.uploads = state.uploads, None

        def drop() -> None:
            for path in paths or ():
                path.unlink(missing_ok=True)

        if paths:
            asyncio.get_running_loop().run_in_executor(None, drop)

    # What macros ask

    def rules(self, field: str, accept: str, max_size: int | str, max_files: int) -> Policy:
        """Return what a field takes. Raised where that makes no sense: `ConfigurationError`."""
        size, most = in_bytes(max_size), self._limits
        if not isinstance(field, str) or not 0 < len(field) <= 128 or not field.isprintable():
            raise ConfigurationError(f"Bad field name {field!r}. Use 1 to 128 characters, such as 'files'.")
        if size > most.upload_bytes_per_person:
            raise ConfigurationError(
                f"max_size={max_size!r} is over limits['upload_bytes_per_person'], which is {most.upload_bytes_per_person}."
            )
        if not isinstance(max_files, int) or not 0 < max_files <= most.uploads_per_person:
            raise ConfigurationError(
                f"max_files={max_files!r} is not 1 to limits['uploads_per_person'], which is {most.uploads_per_person}."
            )
        return Policy(field, parse_accept(accept), size, max_files)

    def sign(self, owner: str, policy: Policy, *, person: bool) -> str:
        """Return the rules of a field as a page carries them; they count for nobody else."""
        rules = [policy.field, ",".join(policy.accept), policy.max_size, policy.max_files]
        return self._signer.dumps("upload", [owner, *rules, person])

    # What pages ask

    async def announce(self, owner: str, token: str, name: str, size: int, said: str) -> tuple[Record, str]:
        """Note that a file will come; return its record and its handle. Raised: `Refused`."""
        policy = self._read_policy(owner, token)
        if policy is None:
            raise Refused(403, "forbidden", "These rules are somebody else's or none. Load the page again.")
        name = safe_name(name)
        if size > policy.max_size:
            raise Refused(413, "too-large", f"The file has {size} bytes; {policy.max_size} are the most.")
        if not named(policy.accept, name, said) or (not size and not genuine(policy.accept, name, b"", said)):
            raise Refused(415, "validation", f"{name!r} is none of {', '.join(policy.accept)}.")
        id = secrets.token_hex(16)
        record = Record(
            id, policy.field, name, said, size, policy.accept, policy.max_size, policy.max_files, self.clock()
        )
        limits = self._limits
        try:
            await asyncio.to_thread(self.prepare)
            await asyncio.to_thread(
                self.disk.announce,
                owner,
                record,
                most=int(limits.uploads_per_person),
                most_bytes=int(limits.upload_bytes_per_person),
                reserve=int(limits.upload_reserve),
            )
        except TooMany as error:
            most = limits.uploads_per_person if error.what == "count" else limits.upload_bytes_per_person
            what = "files" if error.what == "count" else "bytes"
            raise Refused(
                429, "limited", f"{most} {what} are the most that one person may have under way.", retry_after=AGAIN
            ) from None
        except DiskFull:
            raise full() from None
        return record, self._signer.dumps("handle", [owner, record.field, id])

    def of_person(self, token: str) -> bool:
        """Tell whether rules were written for somebody who was signed in."""
        value = self._signer.loads("upload", token)
        return isinstance(value, list) and value[-1] is True

    async def find(self, owner: str, id: str) -> Arriving | None:
        """Return a file that is on its way in; None where it is not, or is somebody else's."""
        found = await asyncio.to_thread(self.disk.find, owner, id)
        return Arriving(*found) if found else None

    async def forget(self, owner: str, id: str) -> None:
        """Drop a file that was not handed over."""
        await asyncio.to_thread(self.disk.remove, owner, id)

    def add(self, owner: str, writer: Writer, data: bytes) -> bool:
        """Write the next piece of a file; False where it is not what was asked for, and was dropped. Blocks."""
        record, before = writer.record, writer.offset
        writer.write(data)
        text = record.accept and is_text(record.name)
        early = before < min(EARLY, record.size) <= writer.offset  # its kind can be told from here on
        if (text and b"\0" in data) or (early and not self._genuine(owner, record)):
            self.disk.remove(owner, record.id)
            return False
        return True

    def _genuine(self, owner: str, record: Record) -> bool:
        return genuine(record.accept, record.name, self.disk.head(owner, record.id, EARLY), record.said)

    # Inside

    def prepare(self) -> None:
        """Have the folder, and that it is ours still. Raised: as by `Disk.prepare`. Blocks."""
        with self._lock:
            # Each time: temporary files are cleared away by age, and then anybody may make a folder of that name.
            self.disk.prepare()
            if not self._ready and not self._named:
                log.warning(
                    "Uploads are kept in %s until they are handed over. A folder that outlives the machine, and that "
                    "all workers share: Realtime(uploads='/var/lib/app/uploads').",
                    self.disk.root,
                )
            self._ready = True

    def tick(self) -> None:
        """Look, now and then and a part at a time, for what nobody has claimed; called at each pulse."""
        now = self.clock()
        if now < self._next <= now + ROUND:
            return
        self._next = now + ROUND

        def look() -> None:
            try:
                if not self.disk.sweep(now - self._limits.upload_life):
                    self._next = now + STEP
            except Exception:
                log.exception("Uploads that nobody has claimed could not be cleared away.")

        asyncio.get_running_loop().run_in_executor(None, look)

    def _read_policy(self, owner: str, token: object) -> Policy | None:
        value = self._signer.loads("upload", token) if isinstance(token, str) else None
        if not isinstance(value, list) or len(value) != 6 or value[0] != owner:
            return None
        return Policy(value[1], parse_accept(value[2]), value[3], value[4])

    def _read_handle(self, taker: Taker, token: object) -> str:
        value = self._signer.loads("handle", token) if isinstance(token, str) else None
        if not isinstance(value, list) or len(value) != 3 or value[:2] != [taker.owner, taker.field]:
            raise BadUpload("unknown", taker.say("upload.unknown"), field=taker.field)
        return str(value[2])


def full() -> Refused:
    """Return the refusal where there is no room on the disk."""
    return Refused(507, "limited", "There is no room for the file on the server now.", retry_after=AGAIN)


def in_bytes(size: int | str) -> int:
    """Return a size such as "20 MB" or 1000 in bytes. Raised where it is none: `ConfigurationError`."""
    found = _SIZE.fullmatch(str(size).strip()) if isinstance(size, int | str) and not isinstance(size, bool) else None
    number = round(float(found[1]) * _UNITS[(found[2] or "B").upper()]) if found else 0
    if number <= 0:
        raise ConfigurationError(f"Bad size {size!r}. Use bytes or '500 kB', '20 MB', '1 GB', '16 MiB'.")
    return number
