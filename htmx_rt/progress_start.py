"""What is known of something that takes long before it begins: what it is called, and whose it is."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Final

from .catalogue import Catalogue
from .exceptions import BadOperation
from .identity import Identity, RequestState
from .progress_record import TITLE, Record, cleaned, whole
from .topics import USER_PREFIX, check_topic, user_topic
from .types import User

CANCEL: Final = ("owner", "all", None)


def planned(topic: str, title: object, *, total: object, cancel: object, toast: bool, now: float) -> Record:
    """Return the record of something that begins. Raised for what no page could show: `BadTopic`, `BadOperation`."""
    name = cleaned(title, TITLE) if isinstance(title, str) else ""
    if not name:
        raise BadOperation(f"rt.progress({topic!r}, {title!r}): say in a few words what is done.")
    if cancel not in CANCEL:
        raise BadOperation(f"rt.progress(cancel={cancel!r}): 'owner' or 'all' may cancel it, or None: nobody.")
    return Record(
        secrets.token_hex(12), check_topic(topic), name, total=whole(total), cancel=str(cancel) if cancel else None,
        toast=toast, started=now,
    )  # fmt: skip


def owned(
    record: Record,
    identity: Identity,
    words: Catalogue,
    state: RequestState | None,
    user: User | str | None,
    lang: str | None,
) -> Record:
    """Return a record with whose it is: `user`, else whoever makes the request, else whom its topic belongs to."""
    person, owner = User.of(user), ""
    if person is None and state is not None:
        identity.speak(state)
        person = identity.user(state)
        if person is None and not state.answered:
            # Nobody but the cookie says who may cancel it, so this answer must bring one.
            state.wrote = True
        owner = identity.owner(state)
    if person is None and not owner and (own := record.topic.removeprefix(USER_PREFIX)) != record.topic:
        person = User(own) if user_topic(own) == record.topic else None
    if person is not None:
        owner = identity.owner_of(person)
    if state is not None and lang is None:
        lang = state.lang if state.lang != "en" else words.choose(state.header(b"accept-language") or "")
    id, name = (person.id, person.shown) if person is not None else ("", "")
    return replace(record, owner=owner, user=id, by=name, lang=lang or "en")
