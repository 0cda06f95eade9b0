"""Records as guards see them: objects or mappings, read once, in the thread that they belong to. No I/O of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from .exceptions import ConfigurationError
from .merge import Text

_EXPIRED: Final = {"MissingGreenlet", "DetachedInstanceError"}  # of SQLAlchemy, which need not be installed


@dataclass(frozen=True, slots=True)
class Seen:
    """What a save is compared with."""

    resource: str
    lease: str  # the resource, or a part of it that is held by itself
    version: int
    raw: dict[str, Any]  # the guarded attributes as they are
    values: dict[str, Text]  # the same as a form sends them
    fence: int | None  # of the last lease it was saved under


class Attributes(dict[str, Any]):
    """The attributes of a record, or the items of a mapping, for `str.format_map`."""

    def __init__(self, row: Any) -> None:
        super().__init__()
        self._row = row

    def __missing__(self, name: str) -> Any:
        return attribute(self._row, name)


def attribute(row: Any, name: str) -> Any:
    """Return one of a record: an object, a mapping, or a row of a database driver. Raised: `ConfigurationError`."""
    items = isinstance(row, Mapping) or (hasattr(type(row), "keys") and hasattr(type(row), "__getitem__"))
    try:
        return row[name] if items else getattr(row, name)
    except (KeyError, IndexError, AttributeError):
        raise ConfigurationError(f"{row!r:.200} has no {name!r}, which its guard names.") from None
    except Exception as error:
        if not {type(error).__name__, type(getattr(error, "orig", None)).__name__} & _EXPIRED:
            raise
        raise ConfigurationError(
            f"{name!r} of a {type(row).__name__} cannot be read here, as its session forgets records at a commit. "
            "Write saving.done(row, after=session) before session.commit(), or make sessions with expire_on_commit=False."
        ) from error


def put(row: Any, name: str, value: Any) -> None:
    """Set one."""
    if isinstance(row, Mapping):
        row[name] = value  # type: ignore[index]
    else:
        setattr(row, name, value)
