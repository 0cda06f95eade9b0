"""The reference names everything there is."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from dataclasses import fields

import pytest

from htmx_rt import Realtime, merge, protocol, testing
from htmx_rt.contrib import sqlalchemy as contrib
from htmx_rt.eventual import Eventual
from htmx_rt.exceptions import Conflict, RealtimeError
from htmx_rt.guards import Guard, Saving
from htmx_rt.macros import Macros
from htmx_rt.people import News, Person, Tally
from htmx_rt.presence import Presence
from htmx_rt.progress import Progress
from htmx_rt.progress_record import Record
from htmx_rt.publishing import Batch, Published, Topic
from htmx_rt.types import Limits
from htmx_rt.undo import Deferred, Undo
from htmx_rt.visitors import Stats, Visitor, Visitors

from .doc_kit import DOCS, ROOT

INNER = ("rt-queue-", "rt-page-", "rt-icon-", "rt-bell-")  # said with an ellipsis
SCRIPTS = ROOT / "js" / "src"
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
PAGES = {page.stem: FENCE.sub("", page.read_text(encoding="utf-8")) for page in (DOCS / "reference").glob("*.md")}
# Every name that stands between backticks, also as part of a longer piece of code.
NAMES = {
    stem: {name for code in re.findall(r"`([^`]+)`", text) for name in re.findall(r"[\w:.-]+", code)}
    for stem, text in PAGES.items()
}


def public(thing: object) -> Iterable[str]:
    return [name for name in dir(thing) if not name.startswith("_")]


def missing(names: Iterable[str], page: str) -> set[str]:
    known = NAMES[page] | {name.rpartition(".")[2] for name in NAMES[page]}
    return set(names) - known


def test_python_names_everything_public() -> None:
    assert missing(public(Realtime), "python") == set()
    for thing in (Topic, Published, Batch):
        assert missing(set(public(thing)) - {"published"}, "python") == set()
    for thing in (testing.Browser, testing.Page, testing.Stream, testing.Event, testing.Refusal):
        names = {name for name in vars(thing) if not name.startswith("_")} | set(getattr(thing, "__annotations__", ()))
        assert missing(names - {"response", "app", "host", "scheme", "prefix"}, "python") == set()


def test_python_names_what_undo_offers() -> None:
    offered = {"defer", "handler", "restore", "hidden", "pending", "claim"}
    assert offered <= {*public(Undo), "claim"}
    assert missing(offered, "python") == set()
    assert missing({field.name for field in fields(Deferred)}, "python") == set()
    assert missing(public(Eventual), "python") == set()


def test_python_names_what_presence_offers() -> None:
    offered = {
        "list", "count", "tally", "track", "update", "untrack", "subscribe", "on_join", "on_leave", "can_see", "fetch",
        "refetch",
    }  # fmt: skip
    assert offered <= set(public(Presence))
    assert missing(offered | set(public(Visitors)) - {"stats"}, "python") == set()
    names = {*Stats.__dataclass_fields__, *Tally._fields, *News._fields, *Visitor._fields, *set(public(Person))}
    assert missing(names - {"index", "leases", "owner"}, "python") == set()


def test_python_names_what_guards_offer() -> None:
    arguments = {*inspect.signature(Realtime.guard).parameters} - {"self"}
    assert missing(arguments | set(public(Guard)) - {"base", "chosen", "newest", "typed", "terms"}, "python") == set()
    assert missing({*Saving.__dataclass_fields__, "apply", "done"} - {"guard", "resource", "before"}, "python") == set()
    mergers = {name for name, one in vars(merge).items() if isinstance(one, merge.Merger)}
    assert missing({*mergers, *(field.name for field in fields(merge.Merger))}, "python") == set()
    assert missing({*vars(Conflict(409, "stale", body="", headers={})), "response"}, "python") == set()
    offered = {*contrib.__all__}
    for function in (contrib.save, contrib.stale):
        offered |= {*inspect.signature(function).parameters}
    assert missing(offered, "python") == set()


def test_python_names_what_progress_offers() -> None:
    offered = {"update", "check", "fail", "state", "cancelling", "id", "title"}
    assert offered <= set(public(Progress))
    inside = {"n", "slot", "lang", "toast", "encoded", "read"}
    assert missing(offered | set(public(Record)) - inside, "python") == set()


def test_events_names_every_event_of_the_page() -> None:
    raised = {
        name for source in SCRIPTS.rglob("*.js") for name in re.findall(r'"(rt:[a-z-]+)"', source.read_text("utf-8"))
    }
    assert {"rt:state", "rt:error", "rt:queue"} <= raised
    assert missing(raised, "events") == set()


def test_attributes_names_every_class() -> None:
    styles = "".join(file.read_text("utf-8") for file in (SCRIPTS.parent / "css").glob("*.css"))
    classes = {name for name in re.findall(r"\.(rt-[a-z-]+)", styles) if not name.startswith(INNER)}
    assert {"rt-loading", "rt-pending", "rt-toast"} <= classes
    assert missing(classes, "attributes") == set()


def errors(kind: type[RealtimeError]) -> Iterable[str]:
    yield kind.__name__
    for below in kind.__subclasses__():
        yield from errors(below)


def test_python_names_every_error() -> None:
    assert missing(errors(RealtimeError), "python") == set()


def test_template_names_every_macro() -> None:
    macros = {name for name in public(Macros) if "no macro" not in getattr(Macros, name).__doc__}
    assert {name for name in macros if not re.search(rf"`rt\.{name}[(.]", PAGES["template"])} == set()


@pytest.mark.parametrize("limit", fields(Limits), ids=lambda limit: limit.name)
def test_limits_names_each_with_its_default(limit: object) -> None:
    name, default = limit.name, limit.default  # type: ignore[attr-defined]
    row = re.search(rf"^\| `{name}` \| (\d+)", PAGES["limits"], re.MULTILINE)
    assert row is not None, f"{name} is missing in limits.md."
    assert float(row[1]) == default


@pytest.mark.parametrize("constant", [name for name in vars(protocol) if name.isupper()])
def test_each_name_of_the_protocol_stands_somewhere(constant: str) -> None:
    value = getattr(protocol, constant)
    words = list(value) if constant == "CAPABILITIES" or isinstance(value, tuple | dict) else [value]
    if constant == "VERSION":
        words = [f"rt/{value}"]
    text = "\n".join(PAGES.values())
    assert [word for word in words if not re.search(rf"`[^`]*(?<![\w-]){re.escape(word)}(?![\w-])[^`]*`", text)] == []
