"""Who may read what: grants written by macros, and the app's own word on them."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from itertools import repeat
from operator import attrgetter
from typing import Any

from .buses.base import Bus
from .exceptions import BadTopic, Refused
from .signing import Grant, Signer
from .topics import USER_PREFIX, Pattern, check_topic, is_here, subject, subjects, user_topic
from .types import LONGEST, Limits, User

log = logging.getLogger("htmx_rt")

Policy = Callable[..., "bool | Awaitable[bool]"]
_age = attrgetter("issued")


@dataclass(slots=True)
class Verdict:
    """What became of the grants that a page sent."""

    accepted: dict[str, Grant] = field(default_factory=dict)  # topic → the newest grant
    holders: dict[str, list[tuple[Grant, bool]]] = field(
        default_factory=dict
    )  # topic → all, and whether they are fresh
    refused: list[str] = field(default_factory=list)  # topics
    again: list[str] = field(default_factory=list)  # topics the page may fetch new grants for
    tokens: dict[str, str] = field(default_factory=dict)  # topic → the token, where there was one only
    foreign: bool = False  # some were written for another user
    young: Grant | None = None  # one that may stand for a cookie that could not be set

    @property
    def readable(self) -> dict[str, Grant]:
        """Those of the accepted that let their topic be read; others only let people be counted."""
        return {topic: grant for topic, grant in self.accepted.items() if "r" in grant.caps}


class Grants:
    """Writes and examines grants."""

    def __init__(self, *, signer: Signer, bus: Bus, limits: Limits, clock: Callable[[], float] = time.time) -> None:
        self._signer = signer
        self._bus = bus
        self._limits = limits
        self._clock = clock
        self._policies: list[tuple[Pattern, Policy]] = []

    def add_policy(self, pattern: str, policy: Policy) -> None:
        """Ask `policy(user, **fields)` about every topic that `pattern` matches."""
        self._policies.append((Pattern(pattern), policy))

    def issue(
        self,
        topic: str,
        *,
        browser: str,
        user: User | None,
        at: str,
        lang: str = "",
        caps: str = "r",
        meta: dict[str, Any] | None = None,
    ) -> str:
        """Return a signed grant; a personal topic is granted to its owner only."""
        check_topic(topic)
        about = subject(topic)
        if about.startswith(USER_PREFIX) and (user is None or user_topic(user.id) != about):
            raise BadTopic(f"Topic {topic!r} is somebody else's. rt.head() subscribes each person to their own.")
        now = self._clock()
        user_id = user.id if user else None
        return self._signer.sign_grant(
            Grant(topic, caps, browser, user_id, at, now, now + self._limits.grant_life, lang, meta)
        )

    def renew(self, grant: Grant) -> str:
        """Return `grant` with a new life; when and where in the log it was first issued is kept."""
        return self._signer.sign_grant(grant._replace(expires=self._clock() + self._limits.grant_life))

    def renewed(self, verdict: Verdict) -> dict[str, str]:
        """Return a token for each accepted topic that outlives a stream: the page's own where it does, else a new one."""
        until = self._clock() + LONGEST * self._limits.stream_life
        return {
            topic: verdict.tokens[topic] if topic in verdict.tokens and grant.expires >= until else self.renew(grant)
            for topic, grant in verdict.accepted.items()
        }

    async def examine(
        self, resumed: Iterable[object], fresh: Iterable[object], *, browser: str | None, user: User | None
    ) -> Verdict:
        """Sort tokens for the browser and user at the edge; `browser` is None where no cookie came.

        Each topic has one answer: an old grant in one tab does not cost a newer one in another.
        """
        verdict = Verdict()
        refused: dict[str, None] = {}
        again: dict[str, None] = {}
        asked: dict[str, list[tuple[Grant, bool]]] = {}
        tokens: dict[str, str] = {}
        now, user_id = self._clock(), user.id if user else None
        for token, is_fresh in (*zip(resumed, repeat(False)), *zip(fresh, repeat(True))):
            grant = self._signer.read_grant(token)
            if grant is None:
                continue
            young = browser is None and now - grant.issued <= self._limits.fresh_grant
            if grant.user != user_id:
                verdict.foreign = True
                refused[grant.topic] = None
            elif not ("r" in grant.caps or ("p" in grant.caps and is_here(grant.topic))) or self._revoked(grant):
                refused[grant.topic] = None
            elif not young and (grant.browser != browser or self._outlived(grant, now)):
                again[grant.topic] = None
            else:
                asked.setdefault(grant.topic, []).append((grant, is_fresh))
                tokens[grant.topic] = str(token)
        for (topic, holders), allowed in zip(asked.items(), await self.allowed(user, asked), strict=True):
            newest = holders[0][0] if len(holders) == 1 else max((grant for grant, _ in holders), key=_age)
            # Asking took time, in which the topic may have been withdrawn.
            if allowed and not self._revoked(newest):
                verdict.holders[topic] = holders
                if len(holders) == 1:
                    verdict.accepted[topic], verdict.tokens[topic] = newest, tokens[topic]
                    continue
                # Of one page, all for the same person: what one of them permits, their renewal does.
                caps = "".join(sorted({cap for grant, _ in holders for cap in grant.caps}))
                meta = next((grant.meta for grant, _ in holders if grant.meta), None)
                verdict.accepted[topic] = newest._replace(caps=caps, meta=meta)
            else:
                refused[topic] = None
        if browser is None:
            verdict.young = next(iter(verdict.accepted.values()), None)
        verdict.refused = [topic for topic in refused if topic not in verdict.accepted]
        verdict.again = [topic for topic in again if topic not in verdict.accepted and topic not in refused]
        return verdict

    def has_policy(self, topic: str) -> bool:
        """Tell whether an authorize() function decides on `topic`."""
        return self._policy(topic) is not None

    def valid(self, grant: Grant) -> bool:
        """Tell whether an authentic grant counts now, without asking the app."""
        return self._clock() < grant.expires and not self._revoked(grant)

    def _revoked(self, grant: Grant) -> bool:
        revocations = self._bus.revocations
        if not revocations.of_topics:
            return False
        return any(grant.issued <= revocations.topic(name, grant.user) for name in subjects(grant.topic))

    def _outlived(self, grant: Grant, now: float) -> bool:
        """Tell whether `grant` is too old to stand for itself: renewals prolong it, a policy may answer instead."""
        return now - grant.issued > self._limits.grant_age and self._policy(grant.topic) is None

    async def allowed(self, user: User | None, topics: Iterable[str]) -> list[bool]:
        """Ask the app's policies about `topics`; a topic without a policy stands by its grant.

        Raises `Refused` (503) where a policy takes longer than three seconds.
        """
        topics = tuple(topics)
        if not self._policies or not any(self._policy(topic) for topic in topics):
            return [True] * len(topics)
        try:
            async with asyncio.timeout(self._limits.whoami_timeout):
                return list(await asyncio.gather(*(self._ask(user, topic) for topic in topics)))
        except TimeoutError:
            raise Refused(503, "limited", "An authorize() function took too long.", retry_after=5) from None

    def _policy(self, topic: str) -> tuple[Policy, dict[str, str]] | None:
        if not self._policies:
            return None
        for name in subjects(topic):
            for pattern, policy in self._policies:
                fields = pattern.match(name)
                if fields is not None:
                    return policy, fields
        return None

    async def _ask(self, user: User | None, topic: str) -> bool:
        found = self._policy(topic)
        if found is None:
            return True
        policy, fields = found
        try:
            answer: Any = policy(user, **fields)
            if inspect.isawaitable(answer):
                answer = await answer
        except Exception:
            log.exception("authorize() failed for %r, so it counts as a no.", topic)
            return False
        return bool(answer)
