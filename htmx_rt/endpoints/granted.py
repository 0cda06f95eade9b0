"""Who may call about a topic: whoever shows a grant that counts now."""

from __future__ import annotations

import re
from typing import Final

from ..exceptions import Refused
from ..realtime import Realtime
from ..signing import Grant
from ..types import User
from .http import Call

TAB: Final = re.compile(r"[0-9a-f]{32}")


def granted(call: Call, token: object, user: User | None, cap: str) -> Grant | None:
    """Return an authentic grant of whoever asks, that counts now and permits `cap`."""
    return counting(call.rt, token, user, call.rt.identity.browser(call.state), cap)


def counting(rt: Realtime, token: object, user: User | None, browser: str, cap: str) -> Grant | None:
    """Return an authentic grant of `user` in `browser`, that counts now and permits `cap`."""
    grant = rt.signer.read_grant(token)
    fits = (
        grant is not None
        and cap in grant.caps
        and grant.user == (user.id if user else None)
        and grant.browser == browser
        and rt.grants.valid(grant)
    )
    return grant if fits else None


def check_tab(tab: object) -> str:
    """Return the id of a tab. Raised where it is none: `Refused` (400)."""
    if not isinstance(tab, str) or not TAB.fullmatch(tab):
        raise Refused(400, "bad-request", '"tab" is 32 hex digits.')
    return tab
