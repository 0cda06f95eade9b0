"""What people see where two of them changed the same record, as the server renders it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import jinja2
import pytest
from bs4 import BeautifulSoup, Tag
from markupsafe import Markup

from htmx_rt import marks, panel
from htmx_rt.catalogue import Catalogue
from htmx_rt.diff import STEPS, Budget
from htmx_rt.merge import Merger, Text, flag, members, merge_fields, number, text, whole, words
from htmx_rt.panel import Marks, Shown, describe, echo, typed
from htmx_rt.templating import Environments

FIELDS: dict[str, Merger] = {
    "title": whole, "body": text, "tags": words, "price": number, "reviewers": members, "published": flag,
}  # fmt: skip
LABELS = {"reviewers": "Who reviews"}
BODY = "".join(f"Line {n} of the plan.\n" for n in range(1, 41))
BASE: dict[str, Text] = {
    "title": "Moving the office", "body": BODY, "tags": "office, berlin", "price": "38100",
    "reviewers": ["Jonas", "Mei"], "published": "",
}  # fmt: skip
HOSTILE = (
    """\n"><script>alert(1)</script></textarea></form><img src=x onerror=alert(1)>'{n.__class__}{{ 7 * 7 }}&amp;\n"""
)


def fields_of(mine: dict[str, Text], theirs: dict[str, Text], base: dict[str, Text] | None = BASE) -> dict[str, Shown]:
    merge = merge_fields(base, {**BASE, **mine}, {**BASE, **theirs}, FIELDS)
    return {one.name: one for one in describe(merge, LABELS, FIELDS)}


def render(name: str, *, lang: str = "en", environment: jinja2.Environment | None = None, **values: Any) -> str:
    environments = Environments()
    environments.install(environment or jinja2.Environment(undefined=jinja2.StrictUndefined), object(), name="rt")
    page = {"styles": "/_rt/static/x/htmx-rt.css", "action": "/docs/7", "back": "/docs/7"} if "page" in name else {}
    return environments.render(f"htmx_rt/edit/{name}.html", {**page, **Catalogue().speaking(lang), **values})


def conflict(fields: dict[str, Shown], *, name: str = "conflict", **values: Any) -> BeautifulSoup:
    given = {
        "fields": list(fields.values()), "who": "Ada", "ago": "2 minutes ago", "version": 6, "base": "NEW",
        "echo": [("csrf_token", "c")], "problem": "stale", "message": "",
    }  # fmt: skip
    html = render(name, **(given | values))
    return BeautifulSoup(html if "page" in name else f"<form>{html}</form>", "html.parser")


def posted(soup: BeautifulSoup, **chosen: str) -> list[tuple[str, str]]:
    """Return what a browser would post, with the radios in `chosen` picked."""
    return list(_controls(soup, {f"rt-take-{name}": value for name, value in chosen.items()}))


def _controls(soup: BeautifulSoup, chosen: dict[str, str]) -> Iterator[tuple[str, str]]:
    for control in soup.select("form input[name], form textarea[name]"):
        name = str(control["name"])
        if control.name == "textarea":
            yield name, control.get_text().removeprefix("\n")  # the parser of a browser drops the first one
        elif control.get("type") != "radio":
            yield name, str(control.get("value", ""))
        elif control["value"] == chosen[name] if name in chosen else control.has_attr("checked"):
            yield name, str(control["value"])


def shown_text(element: Tag) -> str:
    for hidden in element.select(".rt-visually-hidden, summary"):
        hidden.decompose()
    return element.get_text()


# What is compared


def test_the_words_that_differ_are_marked_on_both_sides_and_merged() -> None:
    title = fields_of({"title": "Moving the office in June"}, {"title": "Moving the Hamburg office"})["title"]
    assert title.asked
    assert title.kind == "line"
    assert title.marks["theirs"] == [("same", "Moving the "), ("added", "Hamburg "), ("same", "office")]
    assert title.marks["mine"] == [("same", "Moving the office"), ("added", " in June")]
    assert title.merged == "Moving the Hamburg office in June"
    assert title.both


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "merged"),
    [
        ("Plan 2026", "Plan 2027", "Plan 2026 for Berlin", "Plan 2027 for Berlin"),
        ("Plan 2026", "Draft plan 2026", "Plan 2027", "Draft plan 2027"),
        ("the red apple", "the green apple", "the red pear", "the green pear"),
        ("Plan 2026", "Budget 2027", "Draft 2028", "Budget 2027"),
        ("one", "two", "three", "two"),
        ("東京の事務所", "大阪の事務所", "東京の新事務所", "大阪の新事務所"),
        ("", "mine", "theirs", "mine"),
    ],
)
def test_lines_are_merged_by_words_only_where_there_is_one_way_to(
    base: str, mine: str, theirs: str, merged: str
) -> None:
    title = fields_of({"title": mine}, {"title": theirs}, {**BASE, "title": base})["title"]
    assert title.merged == merged
    assert title.both == (merged not in (mine, theirs))


def test_of_a_long_text_only_what_changed_is_shown_and_both_columns_fold_alike() -> None:
    mine = BODY.replace("Line 12 of the", "Line 12 of my").replace("Line 30 of the plan", "Line 30, mine")
    theirs = BODY.replace("Line 12 of the plan", "Line 12 of the great plan").replace(
        "Line 30 of the plan", "Their 30th"
    )
    body = fields_of({"body": mine}, {"body": theirs})["body"]
    gaps = [[words for kind, words in body.marks[side] if kind == "gap"] for side in ("theirs", "mine")]
    assert gaps[0] == gaps[1]
    assert [gap.count("\n") for gap in gaps[0]] == [10, 15, 9]
    assert "Line 12 of my great plan.\n" in body.merged
    assert "Line 30, mine.\nTheir 30th.\n" in body.merged
    assert body.stacked == [30]
    assert body.merged.split("\n")[29] == "Line 30, mine."


def _of(marks: Marks, *kinds: str) -> str:
    return "".join(words for kind, words in marks if kind in kinds)


def test_marks_hold_all_of_a_side_and_all_of_the_base() -> None:
    chance = random.Random(7)

    def changed(base: str) -> str:
        parts = base.split(" ")
        for _ in range(chance.randrange(1, 5)):
            parts[chance.randrange(len(parts))] = chance.choice(["", "new", "x, y.", "two\nlines", "a\n\nb\n"])
        return " ".join(parts)

    asked = 0
    for _ in range(1_000):
        base = " ".join(chance.choice(["alpha", "beta,", "gamma.\n", "delta"]) for _ in range(chance.randrange(1, 30)))
        for name in ("title", "body"):
            mine, theirs = changed(base), changed(base)
            one = fields_of({name: mine}, {name: theirs}, {**BASE, name: base})[name]
            asked += one.asked
            for side in ("theirs", "mine") if one.asked else ():
                assert _of(one.marks[side], "same", "gap", "added") == getattr(one, side)
                assert _of(one.marks[side], "same", "gap", "removed") == base
            if not one.asked and one.decision != "mine" and one.marks:
                assert _of(one.marks["merged"], "same", "gap", "added") == one.merged
    assert asked > 500


def test_without_a_base_both_are_compared_with_each_other() -> None:
    fields = fields_of(
        {"title": "A plan", "reviewers": ["Jonas", "Ada"], "published": "on"}, {"title": "The plan"}, None
    )
    assert fields["title"].marks["theirs"] == [("added", "The"), ("same", " plan")]
    assert fields["title"].marks["mine"] == [("added", "A"), ("same", " plan")]
    assert fields["reviewers"].marks["theirs"] == [("same", "Jonas"), ("added", "Mei")]
    assert fields["reviewers"].merged_values == ["Jonas", "Mei", "Ada"]
    assert (fields["published"].kind, fields["published"].mine, fields["published"].theirs) == ("flag", "on", "")
    assert fields["title"].base is None


def test_what_merged_by_itself_says_what_came() -> None:
    fields = fields_of({"price": "38500"}, {"tags": "office, 2027", "price": "39000", "reviewers": ["Mei", "Grace"]})
    assert fields["tags"].marks["merged"] == [("same", "office, "), ("removed", "berlin"), ("added", "2027")]
    assert fields["price"].merged == "39400"
    assert fields["reviewers"].marks["merged"] == [("same", "Mei"), ("added", "Grace"), ("removed", "Jonas")]
    assert not any(one.asked for one in fields.values())


def test_one_for_the_other_where_they_have_little_in_common() -> None:
    base, theirs = "New rooms in Berlin, third floor", "In 2027 we know more of the budget in question"
    title = fields_of({"title": "x"}, {"title": theirs}, {**BASE, "title": base})["title"]
    assert title.marks["theirs"] == [("removed", base), ("added", theirs)]


def test_words_count_for_more_than_the_spaces_between_them() -> None:
    base, theirs = "a b c same d", "same e f g h"
    title = fields_of({"title": "x"}, {"title": theirs}, {**BASE, "title": base})["title"]
    assert title.marks["theirs"] == [("removed", "a b c "), ("same", "same "), ("removed", "d"), ("added", "e f g h")]


def test_an_empty_line_beside_a_change_is_folded_too() -> None:
    body = "a\nb\nc\nd\n\nhere\n\ne\nf\ng\n"
    one = fields_of(
        {"body": body.replace("here", "here I")}, {"body": body.replace("here", "there")}, {**BASE, "body": body}
    )
    assert one["body"].marks["mine"] == [
        ("gap", "a\nb\nc\nd\n\n"), ("same", "here"), ("added", " I"), ("same", "\n"), ("gap", "\ne\nf\ng\n"),
    ]  # fmt: skip


def test_those_that_are_asked_about_come_first() -> None:
    assert next(iter(fields_of({"tags": "x", "body": "mine"}, {"body": "theirs"}))) == "body"


def test_labels_are_given_or_made_of_the_name() -> None:
    fields = fields_of({}, {})
    assert fields["reviewers"].label == "Who reviews"
    assert panel.label("due_date") == "Due date"


HUGE = {
    "words in common at random": lambda n: " ".join(random.Random(n).choices("ab", k=30_000)),
    "lines in common at random": lambda n: "\n".join(random.Random(n).choices("ab", k=4_900)),
    "nothing in common": lambda n: "".join(f"{n}-{line}\n" for line in range(4_900)),
    "one word": lambda n: str(n) * 65_536,
    "empty lines": lambda n: "\n" * (30_000 + n),
    "no letter": lambda n: "-+*"[n % 3] * 65_536,
}


@pytest.mark.parametrize("case", HUGE)
def test_the_worst_texts_cost_no_more_than_was_meant(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spent: list[Budget] = []

    class Noted(Budget):
        def __init__(self, steps: int = STEPS) -> None:
            super().__init__(steps)
            spent.append(self)

    monkeypatch.setattr(panel, "Budget", Noted)
    make = HUGE[case]
    names = [f"text{n}" for n in range(20)]
    mergers = dict.fromkeys(names, whole)  # whole: that the merge itself costs nothing
    base, mine, theirs = (dict.fromkeys(names, make(n)) for n in (1, 2, 3))
    fields = describe(merge_fields(base, mine, theirs, mergers), {}, mergers)
    assert len(spent) == 1  # all of them share one
    assert 0 <= spent[0].left <= STEPS
    for one in fields:
        assert _of(one.marks["theirs"], "same", "gap", "added") == one.theirs
        assert _of(one.marks["mine"], "same", "gap", "added") == one.mine
        assert max(map(len, one.marks.values())) <= marks.MOST_MARKS


def test_more_marks_than_anybody_reads_are_none() -> None:
    base, theirs = (" ".join(f"{sign}{n}" if n % 2 else f"word{n}" for n in range(300)) for sign in "xy")
    title = fields_of({"title": "mine"}, {"title": theirs}, {**BASE, "title": base})["title"]
    assert title.marks["theirs"] == [("same", theirs)]


# What goes along


def test_all_else_goes_along_but_files_and_passwords() -> None:
    items: list[tuple[str, Any]] = [
        ("csrf_token", "c"), ("title", "t"), ("rt-take-title", "mine"), ("rt-mine-title", "t"), ("rt-base.title", "T"),
        ("rt-base", "B"), ("color", "red"), ("color", "blue"), ("password", "p"), ("new-password2", "p"), ("user[pwd]", "p"),
        ("card_cvc", "1"), ("file", object()), ("passengers", "2"), ("token", "k"), ("compass", "n"),
    ]  # fmt: skip
    kept = echo(items, {"title", "rt-base"})
    assert kept == [
        ("csrf_token", "c"), ("color", "red"), ("color", "blue"), ("passengers", "2"), ("token", "k"), ("compass", "n"),
    ]  # fmt: skip
    assert echo(items[:6], ()) == items[:6]  # a locked form is tried again as it is


def test_what_goes_along_has_an_end() -> None:
    assert len(echo(((f"f{n}", "x") for n in range(10_000)), ())) == panel.MOST_ECHOED
    assert sum(len(value) for _, value in echo([("a", "x" * 400_000)] * 9, ())) <= panel.MOST_ECHOED_CHARACTERS


# The panel


def test_the_panel_posts_the_merge_with_the_new_version_and_all_that_was_typed() -> None:
    fields = fields_of(
        {"title": "Moving the office in June", "body": "\nmine\n", "price": "38500"},
        {"title": "Moving the Hamburg office", "tags": "office, 2027", "reviewers": ["Jonas", "Mei", "Grace"]},
    )
    form = posted(conflict(fields))
    assert form == [
        ("lock_version", "6"), ("rt-base", "NEW"),
        ("rt-fields", "title body tags price reviewers published"), ("csrf_token", "c"),
        ("rt-mine-title", "Moving the office in June"), ("rt-take-title", "merged"),
        ("title", "Moving the Hamburg office in June"),
        ("body", "\nmine\n"), ("tags", "office, 2027"), ("price", "38500"),
        ("reviewers", "Jonas"), ("reviewers", "Mei"), ("reviewers", "Grace"), ("published", ""),
    ]  # fmt: skip
    assert ("rt-take-title", "theirs") in posted(conflict(fields), title="theirs")


def test_the_panel_is_a_dialog_with_one_primary_button_and_radios_that_have_names() -> None:
    soup = conflict(fields_of({"title": "A", "tags": "x"}, {"title": "B", "tags": "y"}, None))
    root = soup.select_one(".rt-conflict")
    assert root is not None
    assert root["role"] == "alertdialog"
    heading = soup.find(id=str(root["aria-labelledby"]))
    note = soup.find(id=str(root["aria-describedby"]))
    assert heading is not None
    assert note is not None
    assert heading.get_text() == "Ada changed this while you were writing"
    assert " ".join(note.get_text().split()) == "Saved 2 minutes ago. You both changed 2 fields. Choose what to save."
    assert [legend.get_text() for legend in soup.select("legend")] == ["Title", "Tags"]
    radios = [label.get_text(strip=True) for label in soup.select("label:has(input[type=radio])")]
    assert radios == ["Take Ada’s", "Keep mine", "Edit here"] * 2
    assert [button.get_text() for button in soup.select("button[type=submit]")] == ["Save"]
    back = soup.select_one("button.rt-conflict-back")
    assert back is not None
    assert back["type"] == "button"
    assert back.has_attr("hidden")
    ids = [str(element["id"]) for element in soup.select("[id]")]
    assert len(ids) == len(set(ids))


def test_each_radio_holds_the_text_it_stands_for() -> None:
    soup = conflict(fields_of({"title": "Plan 2027"}, {"title": "Plan B"}, {**BASE, "title": "Plan 2026"}))
    texts = {str(radio["value"]): radio["data-text"] for radio in soup.select("input[type=radio]")}
    assert texts == {"theirs": "Plan B", "mine": "Plan 2027", "merged": "Plan 2027"}


def test_marks_are_said_in_words_and_not_by_colour_alone() -> None:
    soup = conflict(fields_of({"title": "Plan 2027"}, {"title": "Plan B"}, {**BASE, "title": "Plan 2026"}))
    theirs = soup.select_one(".rt-conflict-theirs .rt-conflict-text")
    assert theirs is not None
    assert theirs.get_text() == "Plan Removed: 2026Added: B"
    assert [mark.name for mark in theirs.select("ins, del")] == ["del", "ins"]


def test_spaces_at_the_ends_of_a_mark_stay_but_outside_of_its_line() -> None:
    fields = fields_of({"title": "Moving the office in June"}, {"title": "Moving the Hamburg office"})
    for side, mark in (("theirs", "Hamburg"), ("mine", "in June")):
        column = conflict(fields).select_one(f".rt-conflict-{side} .rt-conflict-text")
        assert column is not None
        assert shown_text(column) == getattr(fields["title"], side)
        assert [one.get_text() for one in column.select("ins")] == [mark]


def test_columns_show_the_text_as_it_is_with_what_is_unchanged_folded() -> None:
    theirs = BODY.replace("Line 20 of the", "Line 20 of our")
    fields = fields_of({"body": BODY.replace("Line 20 of the", "Line 20 of my")}, {"body": theirs})
    soup = conflict(fields)
    column = soup.select_one(".rt-conflict-theirs .rt-conflict-text")
    assert column is not None
    assert [gap.get_text() for gap in column.select("summary")] == ["18 unchanged lines", "19 unchanged lines"]
    for mark in column.select("del"):
        mark.decompose()
    assert shown_text(column) == theirs


def test_where_both_stand_one_after_the_other_the_panel_says_so() -> None:
    note = conflict(fields_of({"body": "mine"}, {"body": "theirs"})).select_one(".rt-conflict-look")
    assert note is not None
    assert note.get_text() == "Look at line 1: there both versions stand, yours first."


def test_a_list_and_a_checkbox_have_no_editor() -> None:
    fields = fields_of({"reviewers": ["Ada"], "published": "on"}, {"reviewers": ["Mei"]}, None)
    soup = conflict(fields)
    form = posted(soup)
    assert [item for item in form if item[0].endswith("reviewers")] == [
        ("rt-mine-reviewers", "Ada"), ("rt-take-reviewers", "merged"), ("reviewers", "Mei"), ("reviewers", "Ada"),
    ]  # fmt: skip
    assert [item for item in form if item[0].endswith("published")] == [
        ("rt-mine-published", "on"), ("rt-take-published", "mine"), ("published", "on"),
    ]  # fmt: skip
    assert not soup.select(".rt-conflict-editor")
    said = soup.select("[data-field=published] .rt-conflict-text")
    assert [value.get_text() for value in said] == ["No", "Yes"]


def test_what_merged_quietly_is_listed_and_open_where_nothing_is_asked() -> None:
    theirs: dict[str, Text] = {"tags": "office, 2027", "price": "39000"}
    soup = conflict(fields_of({"title": "A"}, {**theirs, "title": "B"}))
    quiet = soup.select_one("details.rt-conflict-also")
    assert quiet is not None
    assert not quiet.has_attr("open")
    assert "Also changed by Ada: Tags, Price" in quiet.get_text()
    soup = conflict(fields_of({}, theirs))
    quiet = soup.select_one("details.rt-conflict-also")
    assert quiet is not None
    assert quiet.has_attr("open")
    assert "Both changes fit together" in soup.get_text()
    assert not soup.select("fieldset")


def test_an_empty_value_is_said_to_be_empty() -> None:
    column = conflict(fields_of({"title": ""}, {"title": "B"})).select_one(".rt-conflict-mine .rt-conflict-text")
    assert column is not None
    assert column.get_text() == "Removed: Moving the officeempty"


@pytest.mark.parametrize("autoescape", [True, False])
def test_hostile_text_stays_text(autoescape: bool) -> None:
    mine: dict[str, Text] = {"title": "m" + HOSTILE, "body": HOSTILE, "reviewers": [HOSTILE], "price": HOSTILE}
    theirs: dict[str, Text] = {"title": "t" + HOSTILE, "body": HOSTILE * 2, "reviewers": ["x" + HOSTILE], "price": "7"}
    merge = merge_fields(None, {**BASE, **mine}, {**BASE, **theirs}, FIELDS)
    shown = describe(merge, dict.fromkeys(FIELDS, HOSTILE), FIELDS)
    values = typed(mine, dict.fromkeys(FIELDS, HOSTILE), FIELDS)
    given: dict[str, Any] = {
        "fields": shown, "values": values, "who": HOSTILE, "ago": HOSTILE, "version": HOSTILE, "base": HOSTILE,
        "echo": [(HOSTILE, HOSTILE)], "problem": HOSTILE, "message": HOSTILE, "why": HOSTILE, "to": HOSTILE, "create": HOSTILE,
    }  # fmt: skip
    for name in ("conflict", "conflict_page", "gone", "gone_page", "locked", "locked_page"):
        html = render(name, environment=jinja2.Environment(autoescape=autoescape), **given)
        soup = BeautifulSoup(html if "page" in name else f"<form>{html}</form>", "html.parser")
        assert not soup.select("script, img"), name
        assert len(soup.select("form")) == 1
        form = posted(soup)
        assert (HOSTILE, HOSTILE) in form
        if "conflict" in name:
            assert [value for key, value in form if key == "title"] == ["m" + HOSTILE]
            assert [value for key, value in form if key == "body"] == [HOSTILE]
            assert [value for key, value in form if key == "rt-mine-body"] == [HOSTILE]
            assert "{n.__class__}{{ 7 * 7 }}" in soup.get_text()


def test_a_text_of_64_kib_comes_back_whole() -> None:
    long = "".join(f"Line {n:05} and äöü.\n" for n in range(2_900))
    assert len(long.encode()) > 65_536
    mine, theirs = long.replace("00100 and", "00100 &"), long.replace("00100 and", "00100 or")
    soup = conflict(fields_of({"body": mine}, {"body": theirs}, {**BASE, "body": long}))
    form = dict(posted(soup))
    assert form["rt-mine-body"] == mine
    assert form["body"].replace("00100 or äöü.\n", "", 1) != form["body"]
    assert len(str(soup)) < 9 * len(long)


def test_without_a_name_nobody_is_named() -> None:
    fields = fields_of({"title": "A"}, {"title": "B", "tags": "c"})
    told = conflict(fields, who="", ago="").get_text(" ", strip=True)
    assert told.startswith("This was changed while you were writing")
    assert "Take theirs" in told
    assert "Also changed: Tags" in told


@pytest.mark.parametrize("lang", ["en", "de", "es"])
@pytest.mark.parametrize("name", ["conflict_page", "gone_page", "locked_page"])
@pytest.mark.parametrize("who", ["Ada", ""])
def test_pages_speak_the_language(lang: str, name: str, who: str) -> None:
    fields = fields_of({"title": "A", "body": "a"}, {"title": "B", "tags": "c", "body": "b"}).values()
    html = render(
        name, lang=lang, fields=list(fields), values=typed(BASE, LABELS, FIELDS), who=who, ago="", version=6, base="B",
        echo=[], problem="stale", message="", why="archived", to="/docs", create="/docs",
    )  # fmt: skip
    soup = BeautifulSoup(html, "html.parser")
    assert soup.html is not None
    assert soup.html["lang"] == lang
    title, heading = soup.select_one("title"), soup.select_one("h1")
    assert title is not None
    assert heading is not None
    assert title.get_text() == heading.get_text()
    assert (who in heading.get_text()) if who else "{" not in heading.get_text()


# The pages


def test_the_page_posts_to_where_the_form_did_and_leads_back() -> None:
    soup = conflict(fields_of({"title": "A"}, {"title": "B"}), name="conflict_page")
    form = soup.select_one("form")
    assert form is not None
    assert (form["method"], form["action"]) == ("post", "/docs/7")
    assert soup.select_one('link[rel=stylesheet][href="/_rt/static/x/htmx-rt.css"]')
    assert [str(link["href"]) for link in soup.select("main a")] == ["/docs/7"]
    assert not soup.select("button[type=button]")  # it would do nothing
    assert ("title", "A") in posted(soup)


def test_what_was_typed_outlives_its_record() -> None:
    values = typed(
        {"title": "Plan", "body": "\nA\nB", "reviewers": ["Jonas", "Mei"], "published": "on"}, LABELS, FIELDS
    )
    given: dict[str, Any] = {
        "values": values,
        "why": "deleted",
        "who": "Ada",
        "to": "/docs",
        "echo": [("csrf_token", "c")],
    }
    soup = BeautifulSoup(render("gone_page", create="/docs/new", **given), "html.parser")
    assert "Ada deleted this while you were writing" in soup.get_text()
    assert posted(soup) == [
        ("title", "Plan"), ("body", "\nA\nB"), ("reviewers", "Jonas"), ("reviewers", "Mei"), ("published", "on"),
        ("csrf_token", "c"),
    ]  # fmt: skip
    shown = [element.get_text().removeprefix("\n") for element in soup.select("[data-rt-text]")]
    assert shown == ["Plan", "\nA\nB", "Jonas, Mei", "Yes"]
    button = soup.select_one("button[type=submit]")
    assert button is not None
    assert button["formaction"] == "/docs/new"
    assert [str(link["href"]) for link in soup.select("main a")] == ["/docs"]
    soup = BeautifulSoup(render("gone_page", create=None, **given), "html.parser")
    assert not soup.select("button")


def test_who_is_locked_out_tries_the_very_same_again() -> None:
    items = [("title", "Plan"), ("lock_version", "5"), ("rt-base", "OLD"), ("rt-take-title", "mine")]
    values = typed({"title": "Plan"}, LABELS, FIELDS)
    soup = BeautifulSoup(render("locked_page", values=values, who="Ada", echo=echo(items, ())), "html.parser")
    assert posted(soup) == items
    assert [button.get_text() for button in soup.select("button")] == ["Try again"]
    assert "Ada is editing this now" in soup.get_text()


def test_an_app_replaces_one_template_and_keeps_the_others() -> None:
    environment = jinja2.Environment(
        loader=jinja2.DictLoader({"htmx_rt/edit/conflict.html": "<p>Ours {{ version }}</p>"})
    )
    html = render("conflict_page", environment=environment, who="", problem="stale", version=6, fields=[])
    assert "<p>Ours 6</p>" in html
    assert 'action="/docs/7"' in html


def test_the_macro_writes_what_a_form_carries() -> None:
    given: dict[str, Any] = {
        "id": "rt-edit-doc-7", "resource": "doc:7", "preset": "owner", "version": 5, "base": "B", "fields": ["title", "body"],
        "words": '{"a":"b"}', "grant": Markup('rt-stream="edit:doc:7" rt-grant="g" rt-at="0-0"'),
        "fence": None, "to": "/docs", "create": None, "enforce": True, "holder": "Ada",
    }  # fmt: skip
    soup = BeautifulSoup(f"<form>{render('guard', **given)}</form>", "html.parser")
    assert posted(soup) == [("lock_version", "5"), ("rt-base", "B"), ("rt-fields", "title body")]
    line = soup.select_one("[rt-edit]")
    assert line is not None
    assert line["data-fields"] == "title body"
    assert line["data-words"] == '{"a":"b"}'
    assert line["rt-stream"] == "edit:doc:7"
    assert line["data-to"] == "/docs"
    assert line.has_attr("data-enforce")
    assert not line.has_attr("data-create")
    assert line.get_text() == "Ada is editing"
    soup = BeautifulSoup(render("guard", **given | {"form": False, "preset": "live"}), "html.parser")
    assert not soup.select("input")
    assert "data-fields" not in str(soup)
    assert soup.get_text(strip=True) == ""
