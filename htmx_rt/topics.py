"""Topic names: what is a legal one, whose they are, and the patterns that policies are declared for."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from typing import Final

from .exceptions import BadTopic, ConfigurationError

TOPIC: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")
_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_FIELD: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
USER_PREFIX: Final = "user:"
HERE_PREFIX: Final = "here:"  # of the presence of a topic
EDIT_PREFIX: Final = "edit:"  # of what happens to a record that is being edited
VISITORS: Final = "rt:visitors"  # on which everybody is who was counted by rt.visitors


def is_topic(name: object) -> bool:
    """Tell whether `name` may be a topic."""
    return isinstance(name, str) and TOPIC.fullmatch(name) is not None


def check_topic(name: object) -> str:
    """Return `name`, or raise `BadTopic`."""
    if isinstance(name, str) and TOPIC.fullmatch(name):
        return name
    raise BadTopic(
        f"Bad topic {name!r}. Use 1 to 128 letters, digits and _ . : -, beginning with a letter or digit, such as 'board:7'."
    )


def user_topic(user_id: str) -> str:
    """Return the personal topic of a person; ids with other characters are hashed."""
    return USER_PREFIX + plain_or_hashed(user_id)


def here_topic(topic: str) -> str:
    """Return the topic on which it is told who is on `topic`."""
    return check_topic(HERE_PREFIX + check_topic(topic))


def is_here(topic: str) -> bool:
    """Tell whether `topic` is one on which it is told who is on another."""
    return topic.startswith(HERE_PREFIX)


def base_topic(topic: str) -> str:
    """Return the topic that `topic` is about: itself, but for that of its presence."""
    return topic.removeprefix(HERE_PREFIX)


def edit_topic(resource: str) -> str:
    """Return the topic on which it is told what happens to a record; raise `BadTopic` for a name too long for that."""
    here_topic(EDIT_PREFIX + check_topic(resource))
    return EDIT_PREFIX + resource


def is_edit(topic: str) -> bool:
    """Tell whether `topic` is one on which it is told what happens to a record."""
    return topic.startswith(EDIT_PREFIX)


def subject(topic: str) -> str:
    """Return what `topic` is about in the app's own words, for policies and revocations."""
    return topic.removeprefix(HERE_PREFIX).removeprefix(EDIT_PREFIX)


@lru_cache(1024)
def subjects(topic: str) -> tuple[str, ...]:
    """Return what decides on `topic`: its subject, and of a part of a record that is edited, the record."""
    about = subject(topic)
    part = base_topic(topic).startswith(EDIT_PREFIX) and about.count(":") >= 2
    return (about, about.rpartition(":")[0]) if part else (about,)


def topics_of(name: str) -> tuple[str, ...]:
    """Return all topics whose subject is `name`."""
    edit = EDIT_PREFIX + name
    return name, HERE_PREFIX + name, edit, HERE_PREFIX + edit


def public_key(owner: str) -> str:
    """Return a short name of a person, or of nobody's browser, that pages may know."""
    return hashlib.sha256(b"who" + owner.encode()).hexdigest()[:16]


def plain_or_hashed(identity: str) -> str:
    """Return an id as it may stand in a topic: itself, or `h.` and a digest where it holds other characters."""
    # A plain id may not look like a hashed one, or a person could choose somebody else's topic.
    if _PLAIN_ID.fullmatch(identity) and not identity.startswith("h."):
        return identity
    digest = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).digest()
    return "h." + base64.urlsafe_b64encode(digest)[:22].decode()


class Pattern:
    """A topic pattern such as `board:{id}`; a field matches one part between colons."""

    __slots__ = ("fields", "regex", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.fields = tuple(_FIELD.findall(text))
        if len(set(self.fields)) != len(self.fields):
            raise ConfigurationError(f"Topic pattern {text!r} names a field twice.")
        literal = _FIELD.sub("", text)
        if not re.fullmatch(r"[A-Za-z0-9_.:-]*", literal):
            raise ConfigurationError(
                f"Topic pattern {text!r} holds characters no topic can have. Write e.g. 'board:{{id}}'."
            )
        parts = _FIELD.split(text)
        self.regex = re.compile(
            "".join(f"(?P<{part}>[^:]+)" if index % 2 else re.escape(part) for index, part in enumerate(parts))
        )

    def match(self, topic: str) -> dict[str, str] | None:
        """Return the fields of `topic`, or None."""
        found = self.regex.fullmatch(topic)
        return found.groupdict() if found else None
