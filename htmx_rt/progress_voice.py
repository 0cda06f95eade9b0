"""What pages are told of things that take long."""

from __future__ import annotations

import logging
from contextvars import Context
from dataclasses import fields, replace
from functools import partial
from typing import Any, Final

from . import protocol
from .catalogue import Catalogue
from .exceptions import PublishError
from .operations import toast_args
from .progress_record import CANCELLED, DONE, FAILED, INTERRUPTED, Record
from .publishing import Published, Publisher
from .topics import user_topic
from .types import Level

log = logging.getLogger("htmx_rt")

CALL: Final = "progress"
_LEVELS: Final[dict[str, Level]] = {DONE: "success", FAILED: "error", CANCELLED: "info", INTERRUPTED: "warning"}
_TOLD: Final = ("total", "done", "step", "state", "cancelling", "late", "error", "ended", "n")
_DEFAULTS: Final = {field.name: field.default for field in fields(Record)}


class Voice:
    """Tells them, and remembers what they were told last."""

    def __init__(self, publisher: Publisher, words: Catalogue) -> None:
        self._publisher = publisher
        self._words = words

    def say(self, record: Record) -> Published | None:
        """Tell whoever reads the topic; None where it has no place there."""
        if record.slot < 0:
            return None
        return self._send(record.topic, {"name": CALL, "args": record.public}, _state(record))

    def toast(self, record: Record, by: str) -> None:
        """Tell its owner how it has ended, unless they have cancelled it themselves."""
        if not record.toast or not record.user or (record.state == CANCELLED and by in ("", record.by)):
            return
        name = "late" if record.late else f"{record.state}-why" if record.error else record.state
        text = self._words.say(record.lang, f"progress.said-{name}", title=record.title, why=record.error)
        args = toast_args(text, level=_LEVELS[record.state], key=f"progress:{record.id}", timeout=None)
        given = {key: value for key, value in args.items() if value is not None}
        self._send(user_topic(record.user), {"name": "toast", "args": given | {"others": False}}, None)

    def told(self, record: Record) -> Record:
        """Return a record as it is by the newest message that this worker knows of."""
        told = self._publisher.newest(record.topic, _state(record))
        if told is None or told.get("id") != record.id or told.get("n", 0) <= record.n:
            return record
        left, changes = told.get("left"), {name: told.get(name, _DEFAULTS[name]) for name in _TOLD}
        return replace(record, **changes, left=(left[0], left[1]) if left else None)

    def _send(self, topic: str, body: dict[str, Any], state: str | None) -> Published | None:
        """Send it as nobody's action: a page must not take it for the answer to what its reader did."""
        try:
            return Context().run(partial(self._publisher.send, topic, protocol.CALL, body, state=state, after=None))
        except PublishError as error:
            log.error("A progress on %r could not be told: %s", topic, error)
            return None


def _state(record: Record) -> str:
    return f"progress:{record.slot}"
