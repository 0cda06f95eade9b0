"""Who is asking: spoken inside the app, sealed in a cookie at the edge (`protocol.md` §1)."""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from starlette.requests import Request, cookie_parser

from . import protocol
from .buses.base import Bus, Mark
from .frames import base36
from .request_state import SILENCE as SILENCE
from .request_state import RequestState as RequestState
from .request_state import Sealed as Sealed
from .request_state import Silence
from .request_state import current as current
from .request_state import enter as enter
from .signing import Signer
from .topics import public_key
from .types import Limits, Scope, User

log = logging.getLogger("htmx_rt")

Identify = Callable[[Request], "User | str | None"]
_OURS: Final = frozenset((b"cookie", b"rt-tab", b"idempotency-key", b"rt-draft"))
COOKIE_LIFE: Final = 400 * 24 * 3600  # seconds; browsers allow no more


class Identity:
    """Reads, speaks and seals identities."""

    def __init__(
        self,
        *,
        name: str,
        signer: Signer,
        bus: Bus,
        limits: Limits,
        identify: Identify | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._cookie_bytes = b"rt-" + name.encode()
        self.identify = identify
        self.clock = clock
        self._signer = signer
        self._bus = bus
        self._limits = limits
        self._warned = False

    # Reading

    def open(self, scope: Scope, *, internal: bool = False) -> RequestState:
        """Return the state of a request that has just arrived."""
        https = scope.get("scheme") in ("https", "wss")
        state = RequestState(
            scope=scope,
            arrived=self.clock(),
            position=self._bus.log.position,
            sealed=None,
            https=https,
            internal=internal,
        )
        cookies: dict[str, str] | None = None
        mark = self._cookie_bytes
        for key, value in scope["headers"]:
            if key not in _OURS:
                continue
            if key == b"cookie" and mark in value:
                ours = b";".join([part for part in value.split(b";") if mark in part])
                cookies = (cookies or {}) | cookie_parser(ours.decode("latin-1"))
            elif key == b"rt-tab":
                state.tab = _token(value)
            elif key == b"idempotency-key":
                state.action = _token(value)
            elif key == b"rt-draft" and len(value) <= 1024:
                state.draft = value.decode("latin-1")
        if cookies:
            state.sealed = self._unseal(cookies.get(self.cookie(https)))
            state.carried = self._read_toasts(cookies.get(self.toast_cookie))
        return state

    def cookie(self, https: bool) -> str:
        """Return the name of the identity cookie."""
        return ("__Host-rt-" if https else "rt-") + self.name

    @property
    def toast_cookie(self) -> str:
        """The name of the cookie that carries toasts over a redirect."""
        return f"rt-{self.name}-toasts"

    def _unseal(self, token: str | None) -> Sealed | None:
        value = self._signer.loads("identity", token) if token else None
        if not isinstance(value, list) or len(value) != 5:
            return None
        browser, user, name, at, spoken = value
        return Sealed(browser, User(user, name) if user else None, at, spoken)

    def _read_toasts(self, token: str | None) -> list[dict[str, Any]] | None:
        value = self._signer.loads("toasts", token) if token else None
        return value if isinstance(value, list) else None

    # Speaking

    def speak(self, state: RequestState) -> None:
        """Ask `identify`, once a request, who is asking."""
        if state.spoken is SILENCE and self.identify is not None:
            state.spoken = User.of(self.identify(Request(state.scope)))

    def tell(self, state: RequestState, user: User | str | None) -> None:
        """Take the app's word for who is asking."""
        state.spoken = User.of(user)
        state.told = True

    def user(self, state: RequestState) -> User | None:
        """Return who is asking: as spoken, else as sealed, as long as silence may last."""
        spoken = state.spoken
        if not isinstance(spoken, Silence):
            return spoken
        sealed = state.sealed
        if sealed is None or sealed.user is None or self.revoked(sealed):
            return None
        if state.arrived - sealed.spoken > self._limits.silence:
            self._warn_of_silence(sealed)
            return None
        return sealed.user

    def browser(self, state: RequestState) -> str:
        """Return the id of this browser as this user; made anew when the user changes."""
        sealed = state.sealed
        if sealed is not None and _id(sealed.user) == _id(self.user(state)) and not self.revoked(sealed):
            return sealed.browser
        if state.browser is None:
            state.browser = secrets.token_urlsafe(16)
        return state.browser

    def owner(self, state: RequestState) -> str:
        """Return a name for what belongs to whoever asks: the person on all devices, or this browser of nobody."""
        user = self.user(state)
        return self._owner(user, "" if user else self.browser(state))

    def owner_of(self, user: User) -> str:
        """Return a name for what belongs to a person."""
        return self._owner(user, "")

    def nobody(self, state: RequestState) -> str | None:
        """Return `owner` as it was if nobody was signed in when the request came; None without a cookie."""
        return self._owner(None, state.sealed.browser) if state.sealed is not None else None

    def keeper(self, state: RequestState) -> str | None:
        """Return whose receipts these are: `owner` where the app was asked, else as the cookie says, however old it is.

        A cookie that counts for nothing any more still tells one action from another, as long as nothing is given out
        by it. None where there is neither.
        """
        if not isinstance(state.spoken, Silence) and (state.spoken is not None or state.sealed is not None):
            return self.owner(state)
        sealed = state.sealed
        return self._owner(sealed.user, sealed.browser) if sealed is not None else None

    def _owner(self, user: User | None, browser: str) -> str:
        whose = f"user\0{user.id}" if user else f"browser\0{browser}"
        return hashlib.sha256(f"{self.name}\0{whose}".encode()).hexdigest()[:32]

    def who(self, state: RequestState) -> str:
        """Return a short name of whoever asks that pages may know, to tell people apart."""
        return public_key(self.owner(state))

    def revoked(self, sealed: Sealed) -> bool:
        """Tell whether `sealed` was signed out since."""
        return sealed.at <= self._bus.revocations.browser(sealed.browser)

    def settled(self, state: RequestState) -> bool:
        """Tell whether the sealed identity may be trusted without asking the app."""
        sealed = state.sealed
        return (
            sealed is not None and state.arrived - sealed.at <= self._limits.identity_age and not self.revoked(sealed)
        )

    def _warn_of_silence(self, sealed: Sealed) -> None:
        if not self._warned:
            self._warned = True
            log.warning(
                "The app has not said for %d minutes who is asking, so %r counts as nobody now. Pass identify= to "
                "Realtime, or call rt.set_user(…) / rt.set_user(None) on every request, e.g. in a dependency.",
                self._limits.silence // 60,
                sealed.user and sealed.user.id,
            )

    # Sealing

    def seal(self, state: RequestState) -> Iterator[tuple[bytes, bytes]]:
        """Yield the Set-Cookie headers of a response, and make a change of user known to all workers."""
        user, browser, sealed = self.user(state), self.browser(state), state.sealed
        spoken = state.arrived if not isinstance(state.spoken, Silence) or sealed is None else sealed.spoken
        token = self._signer.dumps(
            "identity", [browser, user.id if user else None, user.name if user else "", state.arrived, spoken]
        )
        if sealed is not None and sealed.browser != browser and not self.revoked(sealed):
            why = "user-changed" if user else "signed-out"
            # From now on, not from the arrival: what was asked meanwhile may still have been answered as before.
            self._bus.revoke(Mark("browser", sealed.browser, None, self.clock(), why))
        yield self._set_cookie(self.cookie(state.https), token, COOKIE_LIFE, state.https)

    def to_seal(self, state: RequestState) -> bool:
        """Tell whether the response is one to seal: a macro wrote a grant, or the app named another user than before.

        An app that names the same user on every request, images and all, must not make every response personal.
        """
        if not state.wrote and not state.told:
            return False
        sealed = state.sealed
        same = _id(sealed.user if sealed else None) == _id(self.user(state))
        if sealed is not None and (same or state.spoken is SILENCE):
            # Signed out by another request while this one was under way: its answer must not bring anybody back.
            overtaken = self._bus.revocations.browser(sealed.browser) > state.arrived
            return state.wrote and not overtaken
        return state.wrote or not same

    def seal_browser(self, state: RequestState, browser: str) -> None:
        """Take over the browser id of a young grant whose cookie could not be set with the page."""
        state.browser = browser
        state.wrote = True

    def seal_toasts(self, state: RequestState) -> Iterator[tuple[bytes, bytes]]:
        """Yield the header that keeps toasts for the next page, or clears those that were shown."""
        if not state.toasts and not state.carried_shown:
            return
        waiting = [] if state.carried_shown else (state.carried or [])
        keep = waiting + (state.toasts or [])
        while keep:
            token = self._signer.dumps("toasts", keep)
            if len(token) <= self._limits.toast_cookie:
                yield self._set_cookie(self.toast_cookie, token, 300, state.https)
                return
            keep = keep[1:]  # the oldest gives way
        if state.carried is not None:
            yield self._set_cookie(self.toast_cookie, "", 0, state.https)

    def _set_cookie(self, name: str, value: str, life: int, https: bool) -> tuple[bytes, bytes]:
        secure = "; Secure" if https else ""
        cookie = f"{name}={value}; Path=/; Max-Age={life}; HttpOnly; SameSite=Lax{secure}"
        return b"set-cookie", cookie.encode("latin-1")

    # What a request published

    def note_publish(self, state: RequestState, topic: str) -> None:
        """Remember that `state` published to `topic`."""
        if state.topics is None:
            state.topics = set()
        state.topics.add(topic)

    def response_headers(self, state: RequestState) -> Iterator[tuple[bytes, bytes]]:
        """Yield what a response to a page's own request carries."""
        if state.tab is None:
            return
        yield protocol.AT.lower().encode(), str(state.position).encode()
        if state.header(protocol.REGION.lower().encode()):  # a page keeps what it is given as theirs
            yield protocol.REGION.lower().encode(), self.who(state).encode()
        if state.saved_version is not None and not state.failed:
            yield protocol.LOCK_VERSION.lower().encode(), str(state.saved_version).encode()
        if state.own:
            yield protocol.OWN.lower().encode(), base36(state.own).encode()


def _id(user: User | None) -> str | None:
    return user.id if user else None


def _token(value: bytes) -> str | None:
    """Return a short client-made id, or None for anything else."""
    if 0 < len(value) <= 64 and all(33 <= byte <= 126 for byte in value):
        return value.decode("ascii")
    return None
