"""Saying something on a topic: checked at the call, sent from any thread or loop, awaited by whoever wants to."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Generator
from concurrent.futures import Future
from functools import partial
from types import TracebackType
from typing import Any, Literal

from . import frames, protocol
from .badges import badge_id, checked_count
from .buses.base import Bus
from .exceptions import BadOperation, PublishError, TooLarge
from .identity import Identity, RequestState, current
from .operations import Html, Operations, checked_name, operation, selector, toast_args
from .topics import USER_PREFIX, check_topic, edit_topic, is_edit
from .transactions import after_commit
from .types import Level, Limits


class Published:
    """The receipt of a message. Await it, or call `result` in a thread, to know that it is in the log."""

    __slots__ = ("_future",)

    def __init__(self, future: Future[int]) -> None:
        self._future = future

    def __await__(self) -> Generator[Any, None, int]:
        if self._future.done():
            return self._future.result()
        # Shielded: who gives up waiting must not take the message back.
        return (yield from asyncio.shield(asyncio.wrap_future(self._future)).__await__())

    def result(self, timeout: float | None = None) -> int:
        """Return the offset; block at most `timeout` seconds. Raised if the bus refused it: `BusUnavailable`."""
        return self._future.result(timeout)

    @property
    def done(self) -> bool:
        """Whether the message is in the log, or known not to get there."""
        return self._future.done()


class Publisher:
    """Puts messages on the bus, stamped with the action they came from."""

    def __init__(self, *, owner: object, bus: Bus, identity: Identity, limits: Limits) -> None:
        self.limits = limits
        self._owner = owner
        self._bus = bus
        self._identity = identity

    def send(self, topic: str, event: str, body: dict[str, Any], *, state: str | None, after: object) -> Published:
        """Encode and send `body`, at once or `after` the commit of a session."""
        request = current(self._owner)
        stamp: dict[str, Any] = {}
        if request is not None:
            key = frames.action_key(request.action) if request.action else None
            # What a task says after its request was answered is news to the one who started it, too.
            stamp = {"key": key, "by": None if request.answered else request.tab}
        draft = frames.draft(topic, event, body | stamp, state=state)
        self._check_size(draft, batch=len(body.get("ops", ())) > 1)

        def publish() -> Future[int]:
            if request is not None and event == protocol.OPS:
                self._identity.note_publish(request, topic)
            return self._publish(draft, request)

        if after is None:
            return Published(publish())
        waiting: Future[int] = Future()
        after_commit(after, lambda: _pass_on(publish(), waiting), lambda: _refuse(waiting, topic))
        return Published(waiting)

    def raise_event(self, topic: str, name: str, data: object, *, after: object) -> Published:
        """Raise a DOM event, one of the kit's own or an app's, whose names cannot meet ours."""
        args = {key: value for key, value in (("name", name), ("data", data)) if value is not None}
        return self.send(topic, protocol.CALL, {"name": "event", "args": args}, state=None, after=after)

    def tell(
        self, resource: str, name: str, args: dict[str, Any], state: str | None = None, after: object = None
    ) -> Published:
        """Tell the pages on which a record is edited; raise `TooLarge`."""
        return self.send(edit_topic(resource), protocol.CALL, {"name": name, "args": args}, state=state, after=after)

    def newest(self, topic: str, state: str) -> dict[str, Any] | None:
        """Return the arguments of the call that was the newest of a state, where this worker knows of one."""
        frame = self._bus.log.newest(topic, state)
        if frame is None:
            return None
        args: dict[str, Any] = json.loads(frame.partition(b"\ndata: ")[2])["args"]
        return args

    def whisper(self, topic: str, name: str, data: object, *, sender: dict[str, Any] | None = None) -> bytes:
        """Encode an ephemeral word. Raised where it is too long: `TooLarge`."""
        body = {"t": topic, "name": name, "data": data}
        frame = frames.event(protocol.SIGNAL, body if sender is None else body | {"from": sender})
        if len(frame) > self.limits.signal + 256:
            raise TooLarge(f"Signal {name!r} on {topic!r} has {len(frame)} bytes; {self.limits.signal} are the most.")
        return frame

    def signal(self, topic: str, name: str, data: object) -> None:
        """Send an ephemeral word to whoever listens now."""
        self._bus.signal(topic, self.whisper(topic, name, data))

    def resync(self, topic: str, why: str) -> None:
        """Make every reader of `topic` fetch it again."""
        self._bus.publish(frames.resync_draft(topic, why))

    def _publish(self, draft: frames.Draft, request: RequestState | None) -> Future[int]:
        future = self._bus.publish(draft)
        if request is not None:
            if future.done():
                _note(request, future)
            else:
                future.add_done_callback(partial(_note, request))
        return future

    def _check_size(self, draft: frames.Draft, *, batch: bool) -> None:
        most = self.limits.work if is_edit(draft.topic) else self.limits.state
        if draft.state is not None and draft.size > most:
            bound, cure = most, "Keep states small, or publish a refresh()."
        elif draft.state is None and draft.size > (self.limits.batch if batch else self.limits.publish):
            bound = self.limits.batch if batch else self.limits.publish
            cure = f"Use rt.topic({draft.topic!r}).refresh('#target'), so that each reader fetches it."
        else:
            return
        raise TooLarge(f"A message on {draft.topic!r} has {draft.size} bytes; {bound} are the most. {cure}")


class Topic(Operations):
    """A topic to publish to. Every verb checks its arguments at once and returns a `Published`."""

    def __init__(self, publisher: Publisher, name: str) -> None:
        self.name = check_topic(name)
        self._publisher = publisher

    def __repr__(self) -> str:
        return f"<Topic {self.name}>"

    def _do(self, verb: str, target: str, html: Html | None, after: object) -> Published:
        return self._ops([operation(verb, target, html)], after=after)

    def _ops(self, ops: list[list[str]], *, after: object, state: str | None = None) -> Published:
        return self._publisher.send(self.name, protocol.OPS, {"ops": ops}, state=state, after=after)

    def _call(self, name: str, args: dict[str, Any], after: object) -> Published:
        given = {key: value for key, value in args.items() if value is not None}
        return self._publisher.send(self.name, protocol.CALL, {"name": name, "args": given}, state=None, after=after)

    def batch(self, *, after: object = None) -> Batch:
        """Collect operations in a `with` block and send them as one message, applied in one frame."""
        return Batch(lambda ops: self._ops(ops, after=after))

    def state(
        self,
        name: str,
        verb: Literal["replace", "update", "text", "reset"],
        target: str,
        html: Html,
        *,
        after: object = None,
    ) -> Published:
        """Publish the latest value of `name`: late joiners get it at once, a slow reader only the newest."""
        if verb not in ("replace", "update", "text", "reset"):
            raise BadOperation(f"A state cannot {verb!r}: only replace, update, text and reset tell a whole value.")
        return self._ops([operation(verb, target, html)], after=after, state=checked_name(name, "state"))

    def badge(self, name: str, count: int, *, after: object = None) -> Published:
        """Show `count` in the badge `name` of every reader; a state, so whoever comes later gets it, too."""
        return self.state(f"badge:{name}", "text", f"#{badge_id(name)}", checked_count(count), after=after)

    def signal(self, name: str, data: object = None) -> None:
        """Send an ephemeral word (at most 1 KiB of JSON) to whoever listens now."""
        self._publisher.signal(self.name, checked_name(name, "signal"), data)

    def event(self, name: str, data: object = None, *, after: object = None) -> Published:
        """Raise the DOM event `name` with `detail` = `data` on the topic's elements."""
        return self._publisher.raise_event(self.name, checked_name(name, "event"), data, after=after)

    def toast(
        self,
        text: str,
        *,
        level: Level = "info",
        key: str | None = None,
        others_only: bool | None = None,
        timeout: float | None = None,
        after: object = None,
    ) -> Published:
        """Show a toast to everybody on the topic; one with a `key` changes in place.

        The tab that caused it is left out with `others_only`, the default on all but personal topics.
        """
        args = toast_args(text, level=level, key=key, timeout=timeout)
        others = not self.name.startswith(USER_PREFIX) if others_only is None else others_only
        return self._call("toast", args | {"others": others}, after)

    def redirect(self, path: str, *, after: object = None) -> Published:
        """Send every reader to `path` on this site."""
        if not isinstance(path, str) or not re.fullmatch(r"/(?![/\\])[^\x00-\x20\\]*", path):
            raise BadOperation(f"Cannot redirect to {path!r}. Give a path on this site, such as '/boards/7'.")
        return self._call("redirect", {"to": path}, after)

    def refresh(self, target: str, *, after: object = None) -> Published:
        """Make every reader fetch `target` again with their own rights; the way to send personal or large parts."""
        return self._call("refresh", {"target": selector(target)}, after)


class Batch(Operations):
    """Operations collected in a `with` block; `published` is the receipt once the block has ended well with some."""

    def __init__(self, send: Callable[[list[list[str]]], Published]) -> None:
        self._send = send
        self._ops: list[list[str]] | None = None
        self.published: Published | None = None

    def _do(self, verb: str, target: str, html: Html | None, after: object) -> None:
        if self._ops is None:
            raise BadOperation(
                "A batch is sent when its block ends: with rt.topic(…).batch() as batch: batch.append(…)."
            )
        if after is not None:
            raise BadOperation("after= belongs to the batch: rt.topic(…).batch(after=session).")
        self._ops.append(operation(verb, target, html))

    def __enter__(self) -> Batch:
        self._ops = []
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ops, self._ops = self._ops, None
        if kind is None and ops:
            self.published = self._send(ops)


def _note(request: RequestState, done: Future[int]) -> None:
    if not done.cancelled() and done.exception() is None:
        request.own = max(request.own, done.result())


def _pass_on(done: Future[int], waiting: Future[int]) -> None:
    def settle(future: Future[int]) -> None:
        error = future.exception()
        if error is not None:
            waiting.set_exception(error)
        else:
            waiting.set_result(future.result())

    done.add_done_callback(settle)


def _refuse(waiting: Future[int], topic: str) -> None:
    waiting.set_exception(PublishError(f"The transaction was rolled back, so nothing was sent on {topic!r}."))
