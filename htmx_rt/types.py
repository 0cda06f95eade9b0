"""The small shared types: people, limits, and what ASGI passes around."""

from __future__ import annotations

import inspect
import unicodedata
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from .exceptions import ConfigurationError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

Level = Literal["info", "success", "warning", "error"]
Transport = Literal["auto", "sse", "socket"]

LONGEST = 1.2  # of the mean life of a stream
MAX_USER_ID = 255  # characters
MAX_NAME = 80  # characters, after normalisation
# Zero-width joiner and non-joiner are format characters too, yet Persian, Indic scripts and emoji need them.
_JOINERS = "\u200c\u200d"


def clean_name(name: str, *, most: int = MAX_NAME) -> str:
    """Return `name` in NFC without control and direction-changing characters, at most 80 characters."""
    if name.isascii() and name.isprintable():  # as most are, and each request has some
        return " ".join(name.split())[:most]
    kept = (
        char
        for char in unicodedata.normalize("NFC", name)
        if char in _JOINERS or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    )
    return " ".join("".join(kept).split())[:most]


@dataclass(frozen=True, slots=True)
class User:
    """A person as the app knows them; `id` decides who they are, `name` is shown to others, or else the id."""

    id: str
    name: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not self.id or len(self.id) > MAX_USER_ID:
            raise ConfigurationError(
                f"User id {self.id!r} is not a string of 1 to {MAX_USER_ID} characters. Pass str(user.id) from identify()."
            )
        if not isinstance(self.name, str):
            raise ConfigurationError(
                f'User {self.id!r} has the name {self.name!r}. Pass a string; "" where there is none.'
            )
        object.__setattr__(self, "name", clean_name(self.name))

    @property
    def shown(self) -> str:
        """What others call them."""
        return self.name or clean_name(self.id)

    @classmethod
    def of(cls, value: object) -> User | None:
        """Return what `identify` or `set_user` was given as a `User`; an empty string is nobody."""
        if value is None or isinstance(value, User):
            return value
        if isinstance(value, str):
            return cls(value) if value else None
        if inspect.iscoroutine(value):
            value.close()
            raise ConfigurationError(
                "identify() is async. It is called while a template renders, so it must be a plain function; where "
                "finding the user takes an await, call rt.set_user(…) in a dependency or middleware instead."
            )
        raise ConfigurationError(
            f"{value!r} is no user. identify() and set_user() take None, a str id, or htmx_rt.User(id, name)."
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """Every bound of `protocol.md`; pass changed ones as `Realtime(limits={"topics_per_tab": 16})`."""

    # Streams
    topics_per_tab: int = 64
    tabs_per_stream: int = 32
    streams_per_user: int = 32
    streams: int = 10_000  # a worker
    stream_life: float = 600.0  # seconds, ± 20 %
    heartbeat: float = 15.0  # seconds
    send_timeout: float = 10.0  # seconds without progress
    ticket_life: float = 900.0  # seconds a ticket opens streams
    first_message: float = 5.0  # seconds until a WebSocket has to say what it wants
    retry: int = 2000  # milliseconds, the stream's own hint for plain EventSource readers
    # Calls
    body: int = 64 * 1024  # bytes
    body_timeout: float = 10.0  # seconds
    json_depth: int = 16
    # Publishing
    publish: int = 256 * 1024  # bytes of one operation or call
    batch: int = 1024 * 1024  # bytes
    signal: int = 1024  # bytes
    state: int = 64 * 1024  # bytes
    states_per_topic: int = 64
    # Presence
    tracked_per_topic: int = 1000  # tabs
    visitors: int = 20_000  # tabs counted by rt.visitors
    lease_meta: int = 1024  # bytes
    calls_per_second: float = 20.0  # of one tab
    calls_burst: float = 40.0
    # Records that are edited
    guarded_fields: int = 48
    base: int = 512 * 1024  # characters of the signed values that a form was rendered with
    work: int = 192 * 1024  # bytes of one unsaved field that others are shown
    # Drafts
    draft: int = 64 * 1024  # bytes
    draft_life: float = 7 * 24 * 3600.0  # seconds since it was changed last
    drafts_per_person: int = 100
    # Notifications
    notifications_per_person: int = 100  # the oldest gives way
    notification_life: float = 30 * 24 * 3600.0  # seconds
    # Regions
    region: int = 256 * 1024  # bytes of an answer that gets an ETag
    # Uploads
    uploads_per_person: int = 64  # files on their way in
    upload_bytes_per_person: int = 2 * 1024**3  # of these
    upload_chunk: int = 1024 * 1024  # bytes of one request; a proxy's own limit must not be lower
    upload_life: float = 24 * 3600.0  # seconds that nobody has touched or claimed it
    upload_reserve: int = 256 * 1024**2  # bytes that stay free on the disk
    # The log
    window: int = 10_000  # messages
    window_bytes: int = 64 * 1024 * 1024
    window_age: float = 300.0  # seconds
    state_age: float = 24 * 3600.0  # seconds
    state_bytes: int = 64 * 1024 * 1024  # of the states of all topics
    trimmed_topics: int = 100_000
    replay: int = 300  # messages
    replay_bytes: int = 512 * 1024
    # Identity
    grant_life: float = 900.0  # seconds
    grant_age: float = 24 * 3600.0  # seconds since the render, where no authorize() answers
    fresh_grant: float = 60.0  # seconds in which a grant stands for a cookie that could not be set
    identity_age: float = 300.0  # seconds until whoami asks the app again
    silence: float = 3600.0  # seconds a silent app keeps the sealed user
    whoami_timeout: float = 3.0  # seconds
    revocations: int = 100_000
    toast_cookie: int = 2048  # bytes
    # Actions
    receipt_life: float = 600.0  # seconds an answer is kept for whoever asks again
    queued_receipt_life: float = 24 * 3600.0  # seconds, of actions that may be kept for later
    receipt_lease: float = 60.0  # seconds until an action that nobody works on has an unknown outcome
    receipt_wait: float = 10.0  # seconds a second request waits for the first
    receipt_body: int = 64 * 1024  # bytes; longer answers are kept without their body
    receipt_bytes: int = 64 * 1024 * 1024  # of kept bodies, a worker
    # Undo
    undo_per_person: int = 100  # deferred at once
    undo_lease: float = 30.0  # seconds until an action that nobody runs any more is taken over or unknown
    undo_kept: float = 24 * 3600.0  # seconds it is remembered what became of it
    # Progress
    progress_per_person: int = 50  # running at once
    progress_per_topic: int = 8  # shown
    progress_lease: float = 20.0  # seconds until something whose worker says nothing counts as interrupted
    progress_shown: float = 600.0  # seconds that pages show how it ended
    progress_kept: float = 24 * 3600.0  # seconds it is remembered how it ended

    @classmethod
    def of(cls, changes: Limits | dict[str, Any] | None) -> Limits:
        """Return the limits with `changes` applied; raise `ConfigurationError` for a name there is not."""
        if isinstance(changes, Limits):
            return changes
        known = {field.name for field in fields(cls)}
        for name, value in (changes or {}).items():
            if name not in known:
                raise ConfigurationError(f"Unknown limit {name!r}. Known limits: {', '.join(sorted(known))}.")
            if not isinstance(value, int | float) or isinstance(value, bool) or not value > 0:
                raise ConfigurationError(f"Limit {name}={value!r} is not a positive number.")
        return replace(cls(), **(changes or {}))
