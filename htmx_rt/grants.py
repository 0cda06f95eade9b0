"""Who may read what: grants written by macros, and the app's own word on them."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from .buses.base import Bus
from .exceptions import BadTopic, Refused
from .signing import Grant, Signer
from .topics import USER_PREFIX, Pattern, check_topic, user_topic
from .types import Limits, User

log = logging.getLogger("htmx_rt")

Policy = Callable[..., "bool | Awaitable[bool]"]


@dataclass(slots=True)
class Verdict:
    """What became of the grants that a page sent."""

    accepted: dict[str, Grant] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)  # topics
    again: list[str] = field(default_factory=list)  # topics the page may fetch new grants for
    foreign: bool = False  # some were written for another user
    young: Grant | None = None  # one that may stand for a cookie that could not be set


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

    def issue(self, topic: str, *, browser: str, user: User | None, at: str, lang: str = "", caps: str = "r") -> str:
        """Return a signed grant; a personal topic is granted to its owner only."""
        check_topic(topic)
        if topic.startswith(USER_PREFIX) and (user is None or user_topic(user.id) != topic):
            raise BadTopic(f"Topic {topic!r} is somebody else's. rt.head() subscribes each person to their own.")
        now = self._clock()
        user_id = user.id if user else None
        return self._signer.sign_grant(
            Grant(topic, caps, browser, user_id, at, now, now + self._limits.grant_life, lang)
        )

    def renew(self, grant: Grant, at: str) -> str:
        """Return `grant` with a new life; the moment it was first issued is kept."""
        return self._signer.sign_grant(grant._replace(at=at, expires=self._clock() + self._limits.grant_life))

    async def examine(self, tokens: Iterable[object], *, browser: str | None, user: User | None) -> Verdict:
        """Sort `tokens` for the browser and user at the edge; `browser` is None where no cookie came."""
        verdict = Verdict()
        asked: list[Grant] = []
        now = self._clock()
        for token in tokens:
            grant = self._signer.read_grant(token)
            if grant is None or grant.topic in verdict.accepted:
                continue
            if grant.user != (user.id if user else None):
                verdict.foreign = True
                verdict.refused.append(grant.topic)
            elif "r" not in grant.caps or grant.issued <= self._bus.revocations.topic(grant.topic, grant.user):
                verdict.refused.append(grant.topic)
            elif browser is None and now - grant.issued <= self._limits.fresh_grant:
                verdict.young = grant
                asked.append(grant)
            elif grant.browser != browser:
                verdict.again.append(grant.topic)
            elif now <= grant.expires or now - grant.issued <= self._limits.grant_age or self._policy(grant.topic):
                asked.append(grant)
            else:
                verdict.again.append(grant.topic)
        for grant, allowed in zip(asked, await self.allowed(user, [grant.topic for grant in asked]), strict=True):
            if allowed:
                verdict.accepted[grant.topic] = grant
            else:
                verdict.refused.append(grant.topic)
        return verdict

    async def allowed(self, user: User | None, topics: Iterable[str]) -> list[bool]:
        """Ask the app's policies about `topics`; a topic without a policy stands by its grant.

        Raises `Refused` (503) where a policy takes longer than three seconds.
        """
        try:
            async with asyncio.timeout(self._limits.whoami_timeout):
                return list(await asyncio.gather(*(self._ask(user, topic) for topic in topics)))
        except TimeoutError:
            raise Refused(503, "limited", "An authorize() function took too long.", retry_after=5) from None

    def _policy(self, topic: str) -> tuple[Policy, dict[str, str]] | None:
        for pattern, policy in self._policies:
            fields = pattern.match(topic)
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
