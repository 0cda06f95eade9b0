"""Our Lua scripts, the keys they work on, and how their answers are read. No I/O but the calls themselves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Final, NamedTuple

from redis.exceptions import NoScriptError

from ..frames import Draft
from ..log import Recalled
from ..types import Limits
from .base import REVOCATION_LIFE, Mark

LIFE: Final = 25 * 3600 * 1000  # milliseconds; every key expires
MESSAGE, MARK = b"m", b"x"
_NOTHING: Final = Draft("", b"", b"")


class Script:
    """One Lua script; Redis is sent its text only where it does not know it."""

    def __init__(self, name: str) -> None:
        self.text = files("htmx_rt.buses").joinpath(name).read_text(encoding="utf-8")
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, client: Any, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """Run it. Raised where Redis does not: errors of redis-py."""
        try:
            return await client.evalsha(self.sha, len(keys), *keys, *arguments)
        except NoScriptError:  # none of it has been run; EVAL runs it and makes it known
            return await client.eval(self.text, len(keys), *keys, *arguments)


PUBLISH: Final = Script("publish.lua")
JOIN: Final = Script("join.lua")
RECALL: Final = Script("recall.lua")
SIGNAL: Final = Script("signal.lua")


class Keys:
    """The keys of one `Realtime`, all in one hash slot."""

    def __init__(self, name: str) -> None:
        tag = f"{{htmx-rt:{name}}}:"
        self.meta, self.log, self.newest = tag + "meta", tag + "log", tag + "newest"
        self.browsers, self.topics = tag + "marks:browser", tag + "marks:topic"
        self.channel, self._states = tag + "signals", tag + "state:"

    def states(self, topic: str) -> str:
        """Return the key of the states of `topic`."""
        return self._states + topic


class Found(NamedTuple):
    """One entry of the log, as Redis has it."""

    offset: int
    epoch: str
    before: bytes  # the batch of the entry before it
    batch: bytes
    kind: bytes
    draft: Draft  # an empty one where the entry is a mark
    body: bytes


def publishing(
    keys: Keys, limits: Limits, items: Sequence[Draft | Mark], *, epoch: str, batch: str, now: float
) -> tuple[list[str], list[Any]]:
    """Return the keys and arguments with which `publish.lua` takes `items`."""
    names = [keys.meta, keys.log, keys.newest, keys.browsers, keys.topics]
    arguments: list[Any] = [
        epoch, batch, int(now), limits.window, limits.window_bytes, limits.states_per_topic, limits.trimmed_topics,
        limits.revocations, int(REVOCATION_LIFE), LIFE,
    ]  # fmt: skip
    for item in items:
        if isinstance(item, Mark):
            arguments += [item.kind, member(item), b"", json.dumps(item), item.not_before]
            continue
        arguments += ["m", item.topic, item.head, item.tail, item.state or ""]
        if item.state is not None:
            names.append(keys.states(item.topic))
    return names, arguments


def entries(reply: Any) -> list[Found]:
    """Read the answer to XREAD of one stream: a list in RESP2, a dict in RESP3. Raised for what is none of ours: `ValueError`."""
    if not reply:
        return []
    found = next(iter(reply.values())) if isinstance(reply, dict) else reply[0][1]
    if isinstance(reply, dict) and found and isinstance(found[0], list):  # redis-py 5 with RESP3 wraps it once more
        found = found[0]
    return [entry(identity, fields) for identity, fields in found]


def entry(identity: bytes, fields: dict[bytes, bytes]) -> Found:
    """Read one entry. Raised for what is none of ours: `ValueError`."""
    try:
        epoch, before, batch, kind, topic, name, size, text = fields[b"e"].split(b" ", 7)
        draft, front = _NOTHING, int(size)
        if kind == MESSAGE:
            draft = Draft(topic.decode(), text[:front], text[front:], name.decode() or None)
        return Found(int(identity.partition(b"-")[0]), epoch.decode(), before, batch, kind, draft, text[front:])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{identity!r} is no entry of ours: {error}") from None


def recalled(topics: Sequence[str], answer: list[Any], *, now: float, oldest: float) -> tuple[str, int, list[Recalled]]:
    """Read the answer of `recall.lua`: the epoch, the head, and what there is of `topics`."""
    epoch, head, forgotten = answer[0].decode(), int(answer[1]), int(answer[2])
    found: list[Recalled] = []
    for place, topic in enumerate(topics):
        newest, flat = answer[3 + 2 * place], answer[4 + 2 * place]
        pairs = flat.items() if isinstance(flat, dict) else zip(flat[::2], flat[1::2], strict=True)
        states = [_state(topic, epoch, name, value, now) for name, value in pairs]
        kept = [state for state in states if state is not None and state[1] <= oldest]
        found.append(Recalled(topic, int(float(newest)) if newest else forgotten, kept))
    return epoch, head, found


def _state(topic: str, epoch: str, name: bytes, value: bytes, now: float) -> tuple[int, float, Draft] | None:
    era, offset, written, size, rest = value.split(b":", 4)
    if era.decode() != epoch:  # its value may be older than what pages show
        return None
    front = int(size)
    return int(offset), max(0.0, now - int(written)), Draft(topic, rest[:front], rest[front:], name.decode())


def member(mark: Mark) -> str:
    """Return what `mark` is on, as it is kept beside its time."""
    return json.dumps([mark.kind, mark.subject, mark.user, mark.why])


def mark_of(text: bytes, score: float | None = None) -> Mark | None:
    """Read a mark, from the log or, with its `score`, from what is kept; None for one of a later version."""
    try:
        if score is None:
            kind, subject, user, not_before, why = json.loads(text)
        else:
            (kind, subject, user, why), not_before = json.loads(text), score
        return Mark(kind, subject, user, float(not_before), why) if kind in ("browser", "topic") else None
    except (ValueError, TypeError):
        return None
