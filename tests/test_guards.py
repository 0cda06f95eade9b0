"""Versions, bases and decisions that saves carry, right and wrong: what is saved, what is asked, what is refused."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from htmx_rt import RealtimeMiddleware
from htmx_rt.bases import Base
from htmx_rt.exceptions import ConfigurationError, Conflict
from htmx_rt.merge import whole
from htmx_rt.testing import Response

from .edit_kit import Doc, Pairs, Papers, Person, PlainTextResponse, asked, controls
from .kit import problem, running

pytestmark = pytest.mark.anyio


@pytest.fixture
async def site() -> AsyncIterator[Papers]:
    papers = Papers()
    async with running(papers.app):
        yield papers


def but(form: Pairs, *names: str, **values: str) -> Pairs:
    """Return `form` without some fields, and with values in place of those of others."""
    return [(name, values.get(name, value)) for name, value in form if name not in names]


# Versions


@pytest.mark.parametrize(
    ("version", "status", "word"),
    [
        ("3", 200, None),
        (" 3 ", 200, None),
        ("003", 200, None),
        ("2", 409, "stale"),
        ("4", 409, "stale"),  # of the future: nobody knows what was in that form
        ("0", 409, "stale"),
        ("999999999999999999", 409, "stale"),
        ("9" * 19, 400, "bad-version"),
        ("9" * 100_000, 400, "bad-version"),
        ("-3", 400, "bad-version"),
        ("3.0", 400, "bad-version"),
        ("3x", 400, "bad-version"),
        ("0x3", 400, "bad-version"),
        ("٣", 400, "bad-version"),
        ("", 400, "bad-version"),
        ("3\n4", 400, "bad-version"),
        (None, 428, "version-required"),
    ],
)
async def test_the_version_in_the_form(site: Papers, version: str | None, status: int, word: str | None) -> None:
    site.rows[7] = Doc(lock_version=3)
    ada = await site.person()
    answer = await ada.send([(k, v) for k, v in ada.typed(title="New", lock_version=version) if k != "rt-base"])
    assert problem(answer) == (status, word)
    assert site.doc.title == ("New" if status == 200 else "Plan")
    if status != 200:
        assert answer.header("RT-Lock-Version") == "3"
        assert answer.header("ETag") == '"3"'
        assert answer.header("Cache-Control") == "private, no-store"
        assert answer.select(".rt-conflict")


@pytest.mark.parametrize(
    ("tags", "given", "status", "word"),
    [
        ('"3"', None, 200, None),
        ('"3"', "3", 200, None),
        ("*", None, 200, None),
        ("*", "3", 200, None),
        ("*", "2", 409, "stale"),  # it exists, which does not make the form any newer
        ('"1", "3"', None, 200, None),
        ('"1","3"', None, 200, None),
        ('"1", W/"3", "3"', None, 200, None),
        ('"2"', None, 412, "stale"),
        ('"2"', "2", 412, "stale"),
        ('"1", "2"', None, 412, "stale"),
        ('W/"3"', None, 412, "stale"),  # weak tags match nothing here
        ('W/"3"', "3", 412, "stale"),
        ('"other"', None, 412, "stale"),
        ('""', None, 412, "stale"),
        ('"03"', None, 412, "stale"),  # compared as a text
        ('"2"', "3", 400, "bad-version"),
        ('"3"', "2", 400, "bad-version"),
        ("3", None, 400, "bad-version"),
        ("", None, 400, "bad-version"),
        ('"3', None, 400, "bad-version"),
        ('"3" "4"', None, 400, "bad-version"),
        ('"2", *', None, 400, "bad-version"),
        ('*, "2"', None, 400, "bad-version"),
        ('w/"3"', None, 400, "bad-version"),
        ('"3",' * 2000, None, 400, "bad-version"),
    ],
)
async def test_if_match(site: Papers, tags: str, given: str | None, status: int, word: str | None) -> None:
    site.rows[7] = Doc(lock_version=3)
    ada = await site.person()
    body = {"title": "New"} | ({"lock_version": int(given)} if given else {})
    answer = await ada.send_json(body, headers={"if-match": tags})
    assert problem(answer) == (status, word)
    assert site.doc.title == ("New" if status == 200 else "Plan")


async def test_what_a_stale_if_match_would_overwrite_is_asked_about(site: Papers) -> None:
    ada = await site.person()
    site.change(title="Theirs")
    answer = await ada.send([("title", "Mine")], headers={"if-match": '"1"'})
    assert problem(answer) == (412, "stale")
    assert asked(answer) == ["title"]
    assert "Theirs" in answer.text


@pytest.mark.parametrize(
    ("header", "status", "word"),
    [
        ("1", 200, None),
        ("0", 409, "stale"),
        ("x", 400, "bad-version"),
        ("", 400, "bad-version"),
        ("-1", 400, "bad-version"),
    ],
)
async def test_the_version_in_a_header(site: Papers, header: str, status: int, word: str | None) -> None:
    ada = await site.person()
    own = {"rt-lock-version": header, "content-type": "application/json", "accept": "application/json"}
    answer = await ada.browser.request("PATCH", ada.path, b'{"title": "New"}', headers=own)
    assert problem(answer) == (status, word)


async def test_two_versions_that_disagree_are_refused(site: Papers) -> None:
    site.rows[7] = Doc(lock_version=3)
    ada = await site.person()
    assert problem(await ada.save(title="New", headers={"rt-lock-version": "2"})) == (400, "bad-version")
    assert problem(await ada.save([("lock_version", "2")], title="New")) == (400, "bad-version")
    assert problem(await ada.save([("lock_version", "3")], title="New", headers={"rt-lock-version": "3"})) == (
        200,
        None,
    )


@pytest.mark.parametrize("version", [3.0, True, False, "3 ", [3], ["2", "3"], {"v": 3}, None, []])
async def test_versions_of_programs(site: Papers, version: Any) -> None:
    site.rows[7] = Doc(lock_version=3)
    ada = await site.person()
    answer = await ada.send_json({"lock_version": version, "title": "New"})
    right = version in ("3 ", [3]) and not isinstance(version, bool)
    assert answer.status == (200 if right else 428 if version in (None, []) else 400)


# Bases


async def test_changes_of_both_are_merged_and_the_saver_is_told(site: Papers) -> None:
    ada, bob = await site.person("ada"), await site.person("bob")
    assert (await ada.save(title="Ada's", tags="a, b, c")).status == 200
    answer = await bob.save(body="one\ntwo\n3\n", tags="b")
    assert answer.status == 200
    assert (site.doc.title, site.doc.body, site.doc.tags) == ("Ada's", "one\ntwo\n3\n", "b, c")
    assert '"merged":["title","tags"],"by":"ada"' in answer.text
    assert "ada" in str(answer.header("RT-Toast"))


async def test_who_was_merged_keeps_the_version_of_the_form_they_see(site: Papers) -> None:
    # Their page still shows what the other one changed as it was; by the new version it would count as their own.
    ada, bob = await site.person("ada"), await site.person("bob")
    plain = await ada.save(title="Ada's")
    merged = await bob.save(price="12")
    assert (plain.header("RT-Lock-Version"), merged.header("RT-Lock-Version")) == ("2", None)
    version = merged.header("RT-Lock-Version") or bob.value("lock_version")
    assert (await bob.save(price="13", lock_version=version)).status in (200, 409)
    assert site.doc.title == "Ada's"


@pytest.mark.parametrize(
    "kind",
    ["forged", "empty", "cut", "other record", "other version", "older", "other secret", "other purpose", "twice"],
)
async def test_a_base_that_is_not_the_forms_own_overwrites_nothing(site: Papers, kind: str) -> None:
    site.rows[8] = Doc(id=8, title="Theirs")
    ada = await site.person()
    base = ada.value("rt-base")
    site.change(title="Theirs")
    later = await site.person("bob")
    elsewhere = await site.person("eve", id=8)
    other = Papers()
    tokens = {
        "forged": base[:-2] + ("AA" if base[-2:] != "AA" else "BB"),
        "empty": "",
        "cut": base[: len(base) // 2],
        "other record": elsewhere.value("rt-base"),
        "other version": later.value("rt-base"),
        "older": site.docs._desk.bases.write(Base("doc:7", 0, {"title": "Theirs"})),
        "other secret": other.docs._desk.bases.write(Base("doc:7", 1, {"title": "Theirs"})),
        "other purpose": next(iter(later.page.grants.values())),
        "twice": "x",
    }
    extra = [("rt-base", base)] if kind == "twice" else []
    answer = await ada.save(extra, title="Mine", **{"rt-base": tokens[kind]})
    assert problem(answer) == (409, "stale")
    assert asked(answer)[0] == "title"
    assert site.doc.title == "Theirs"
    ada.take(answer)
    assert (await ada.save(title="Both")).status == 200
    assert site.doc.title == "Both"


async def test_a_base_that_is_too_large_to_travel_asks_where_it_cannot_know() -> None:
    site = Papers(limits={"base": 400})
    site.rows[7] = Doc(body=random.Random(1).randbytes(400).hex(), public=True, teams=["red", "blue"])
    async with running(site.app):
        ada, bob = await site.person("ada"), await site.person("bob")
        assert ada.value("rt-base") == ""
        assert (await bob.save(public=None)).status == 200  # it was not stale
        assert site.doc.public is False
        site.change(public=True)
        answer = await ada.save(public=None, teams=None, title="Ada's")
        assert problem(answer) == (409, "stale")
        assert asked(answer) == ["title", "public", "teams"]
        # A page of before it said which fields it shows means all of them.
        ada.form = [pair for pair in ada.form if pair[0] != "rt-fields"]
        assert asked(await ada.save(public=None, teams=None, title="Ada's")) == ["title", "public", "teams"]
        assert (site.doc.public, site.doc.teams) == (True, ["red", "blue"])


async def test_an_older_base_of_one_field_alone(site: Papers) -> None:
    ada = await site.person()
    old = ada.value("rt-base")
    site.change(title="Theirs", price="11")
    bob = await site.person("bob")
    # Bob's page has taken the newer version in, but for the title, about which he has not decided yet.
    answer = await bob.save([("rt-base.title", old)], title="Bob's", price="12")
    assert asked(answer) == ["title"]
    assert (await bob.save([("rt-base.title", "forged")], title="Bob's")).status == 200
    assert (await bob.save([("rt-base.nothing", old)], lock_version="3")).status in (200, 409)


async def test_a_program_changes_what_it_names_and_nothing_else(site: Papers) -> None:
    site.rows[7] = Doc(public=True, teams=["red", "blue"])
    ada = await site.person()
    answer = await ada.send_json({"lock_version": 1, "title": "New"})
    assert answer.status == 200
    assert (site.doc.title, site.doc.public, site.doc.teams, site.doc.body) == (
        "New",
        True,
        ["red", "blue"],
        Doc().body,
    )
    answer = await ada.send_json(
        {"public": False, "teams": [], "price": 3.5, "tags": ["x", "y"]}, headers={"if-match": '"2"'}
    )
    assert answer.status == 200
    assert (site.doc.public, site.doc.teams, site.doc.price, site.doc.tags) == (False, [], "3.5", "x, y")


async def test_a_program_is_told_of_a_conflict_as_a_problem(site: Papers) -> None:
    ada = await site.person()
    site.change(title="Theirs")
    answer = await ada.send_json({"lock_version": 1, "title": "Mine"})
    assert problem(answer) == (409, "stale")
    assert answer.header("content-type") == "application/problem+json"
    assert '"mine": "Mine", "theirs": "Theirs"' in answer.text
    # One that says of itself only that it sends JSON gets no page either.
    answer = await ada.send_json({"lock_version": 1, "title": "Mine"}, headers={"accept": "*/*"})
    assert answer.header("content-type") == "application/problem+json"
    answer = await ada.send_json({"lock_version": 1, "title": "Mine"}, headers={"accept": "*/*", "hx-request": "true"})
    assert answer.header("content-type") == "text/html; charset=utf-8"


@pytest.mark.parametrize("value", [{"a": 1}, [{"a": 1}], [["a"]]])
async def test_what_is_no_text_is_not_made_one(site: Papers, value: Any) -> None:
    ada = await site.person()
    answer = await ada.send_json({"lock_version": 1, "title": value})
    assert problem(answer) == (400, "bad-request")
    assert site.doc.title == "Plan"


# Decisions


async def panel(site: Papers, **values: Any) -> Person:
    """Return somebody before a panel that asks for the title and the text."""
    ada = await site.person()
    site.change(title="Theirs", body="one\n2\nthree\n")
    answer = await ada.save(**({"title": "Mine", "body": "one\nzwei\nthree\n"} | values))
    assert problem(answer) == (409, "stale")
    ada.take(answer)
    return ada


@pytest.mark.parametrize(
    ("choice", "typed", "title"),
    [
        ("mine", "other", "Mine"),
        ("theirs", "other", "Theirs"),
        ("merged", "other", "other"),
        ("bogus", "other", "other"),
        ("", "other", "other"),
    ],
)
async def test_each_choice(site: Papers, choice: str, typed: str, title: str) -> None:
    ada = await panel(site)
    answer = await ada.save(title=typed, **{"rt-take-title": choice})
    assert answer.status == 200
    assert site.doc.title == title


async def test_choices_without_what_belongs_to_them_lose_nothing(site: Papers) -> None:
    ada = await panel(site)
    form = but(ada.typed(**{"rt-take-title": "mine", "title": "Typed"}), "rt-mine-title")
    assert (await ada.send(form)).status == 200
    assert site.doc.title == "Typed"
    form = [("lock_version", "3"), ("rt-take-body", "mine"), ("rt-take-title", "theirs")]
    body = site.doc.body
    assert (await ada.send(form)).status == 200
    assert (site.doc.title, site.doc.body) == ("Typed", body)


async def test_choices_for_fields_that_are_not_asked_about_or_not_there(site: Papers) -> None:
    ada = await panel(site)
    extra = [
        ("rt-take-price", "theirs"),
        ("rt-take-nothing", "mine"),
        ("rt-mine-nothing", "x"),
        ("rt-take-", "mine"),
        ("rt-mine-", ""),
    ]
    answer = await ada.save(extra, price="99", title="Mine", body="mine")
    assert answer.status == 200
    assert site.doc.price == "10"  # theirs, as they say


async def test_a_decision_counts_for_what_was_decided_about(site: Papers) -> None:
    ada = await panel(site)
    site.change(title="Theirs again", price="20")
    answer = await ada.save(title="Mine", **{"rt-take-title": "mine"})
    assert asked(answer) == ["title"]
    assert "Theirs again" in answer.text
    ada.take(answer)
    assert (await ada.save(title="Mine")).status == 200
    assert (site.doc.title, site.doc.price) == ("Mine", "20")


async def test_lists_and_checkboxes_are_decided_with_nothing_ticked() -> None:
    site = Papers()
    site.rows[7] = Doc(teams=["red", "blue"], public=True)
    async with running(site.app):
        ada = await site.person()
        site.change(title="Theirs", teams=["green"])
        answer = await ada.save(title="Mine", teams=None, public=None)
        assert asked(answer) == ["title"]
        ada.take(answer)
        assert (await ada.save()).status == 200
        assert (site.doc.teams, site.doc.public) == (["green"], False)


# What is in the form


async def test_fields_that_nobody_guards_and_those_of_the_kit_stay_apart(site: Papers) -> None:
    ada = await site.person()
    site.change(title="Theirs")
    answer = await ada.save(
        [("lock_version_note", "kept"), ("note", "kept"), ("note", "twice"), ("id", "8"), ("password", "no")],
        title="Mine",
    )
    form = controls(answer.text)
    assert [pair for pair in form if pair[0] in ("note", "lock_version_note", "id", "csrf", "password")] == [
        ("csrf", "a-token"), ("lock_version_note", "kept"), ("note", "kept"), ("note", "twice"), ("id", "8"),
    ]  # fmt: skip
    names = [name for name, _ in form]
    assert all(names.count(name) == 1 for name in ("lock_version", "rt-base", "title", "body", "rt-take-title"))


async def test_fields_that_are_not_sent_are_not_changed(site: Papers) -> None:
    ada = await site.person()
    site.change(price="11")
    answer = await ada.send(but(ada.typed(title="New"), "body", "tags", "price"))
    assert answer.status == 200
    assert (site.doc.title, site.doc.body, site.doc.tags, site.doc.price) == ("New", Doc().body, "a, b", "11")


@pytest.mark.parametrize(
    ("values", "public"),
    [(["", "on"], True), (["on", ""], True), ([""], False), (None, False), (["0"], False), (["on"], True)],
)
async def test_a_checkbox_behind_a_hidden_field(site: Papers, values: list[str] | None, public: bool) -> None:
    ada = await site.person()
    assert (await ada.save(public=values, title="New")).status == 200
    assert site.doc.public is public


async def test_a_text_that_is_sent_twice_is_not_chosen_from(site: Papers) -> None:
    ada = await site.person()
    assert problem(await ada.save(title=["One", "Two"])) == (400, "bad-request")
    assert (await ada.save(title=["One", "One"])).status == 200


async def test_line_ends_are_no_change(site: Papers) -> None:
    site.rows[7] = Doc(body="one\r\ntwo\r\nthree\r\n")
    ada = await site.person()
    site.change(title="Theirs")
    answer = await ada.save(body="one\r\ntwo\r\nthree\r\n")
    assert '"merged":["title"]' in answer.text
    answer = await (await ada.open()).save(body="one\rtwo\nthree\r\n\r\n")
    assert site.doc.body == "one\ntwo\nthree\n\n"


async def test_texts_of_64_kib_are_merged_and_asked_about(site: Papers) -> None:
    lines = [f"line {number} " + "x" * 50 for number in range(1050)]
    site.rows[7] = Doc(body="\n".join(lines))
    ada = await site.person()
    site.change(body="\n".join(["theirs", *lines[1:]]))
    assert (await ada.save(body="\n".join([*lines[:-1], "mine"]))).status == 200
    assert (site.doc.body[:6], site.doc.body[-4:]) == ("theirs", "mine")
    await ada.open()
    site.change(body="y" * 65536)
    answer = await ada.save(body="z" * 65536)
    assert asked(answer) == ["body"]
    ada.take(answer)
    assert ada.value("rt-mine-body") == "z" * 65536


@pytest.mark.parametrize("value", ["\x00", "\ud800", "</textarea><script>", "\u202e\u2028", "'\"&amp;", "𝒳" * 300])
async def test_any_characters(site: Papers, value: str) -> None:
    ada = await site.person()
    site.change(title="Theirs")
    answer = await ada.send_json({"lock_version": 1, "title": value}, headers={"accept": "text/html"})
    assert answer.status == 409
    assert "<script>" not in answer.text
    answer = await ada.send_json({"lock_version": 2, "title": value})
    assert answer.status == 200


async def test_names_and_values_of_other_fields_stay_text(site: Papers) -> None:
    evil = '"><script>alert(1)</script>'
    site.rows[7] = Doc(title=evil)
    ada, eve = await site.person(), await site.person(evil)
    assert (await eve.save(title=evil * 2, body=evil)).status == 200
    for headers in ({}, {"hx-request": ""}):
        answer = await ada.save([(evil, evil)], title=evil * 3, headers=headers)
        assert problem(answer) == (409, "stale")
        assert not answer.select("script")
        assert (evil, evil) in controls(answer.text)
        assert ("rt-mine-title", evil * 3) in controls(answer.text)


async def test_files_are_no_values(site: Papers) -> None:
    ada = await site.person()
    edge = "\r\n".join(
        ["--b", 'Content-Disposition: form-data; name="lock_version"', "", "1", "--b",
         'Content-Disposition: form-data; name="title"; filename="t.txt"', "", "evil", "--b",
         'Content-Disposition: form-data; name="price"', "", "12", "--b--", ""]
    )  # fmt: skip
    answer = await ada.browser.request(
        "POST", ada.path, edge.encode(), headers={"content-type": "multipart/form-data; boundary=b"}
    )
    assert answer.status == 200
    assert (site.doc.title, site.doc.price) == ("Plan", "12")


# Pages and fragments


@pytest.mark.parametrize(
    ("headers", "whole_page"),
    [
        ({"hx-request": "true"}, False),
        ({"hx-request": "true", "hx-boosted": "true"}, True),
        ({"hx-request": "true", "hx-request-type": "full"}, True),
        ({"hx-request": "true", "hx-history-restore-request": "true"}, True),
        ({"hx-request": ""}, True),
        ({"hx-request": "", "accept": "application/json, text/html"}, True),
    ],
)
async def test_a_page_where_a_page_is_wanted(site: Papers, headers: dict[str, str], whole_page: bool) -> None:
    ada = await site.person()
    site.change(title="Theirs")
    for values, status in (({"title": "Mine"}, 409), ({"lock_version": "x"}, 400), ({"lock_version": None}, 428)):
        answer = await ada.save(**values, headers=headers)
        assert answer.status == status
        assert ("<html" in answer.text) is whole_page
    site.rows.pop(7)
    answer = await ada.save(headers=headers, title="Mine")
    assert problem(answer) == (410, "gone")
    assert ("<html" in answer.text) is whole_page
    assert "Mine" in answer.text


async def test_without_scripts_the_panel_is_a_form_that_saves(site: Papers) -> None:
    ada = await site.person()
    site.change(title="Theirs")
    answer = await ada.save(title="Mine", headers={"hx-request": "", "rt-tab": "", "idempotency-key": ""})
    form = answer.select("form")[0]
    assert (form["action"], form["method"]) == ("/docs/7", "post")
    ada.take(answer)
    answer = await ada.save(headers={"hx-request": "", "rt-tab": "", "idempotency-key": ""})
    assert (answer.status, site.doc.title) == (200, "Mine")


@pytest.mark.parametrize(
    ("path", "action"),
    [
        ("//evil.example/docs/7", "/evil.example/docs/7"),
        ("/docs/ä b?c#d", "/docs/%C3%A4%20b%3Fc%23d"),
        ("/docs/7", "/docs/7"),
    ],
)
async def test_the_panel_goes_back_to_where_its_form_was_sent(path: str, action: str) -> None:
    site = Papers(routes=[])

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await site.docs.check(Doc(lock_version=2), {"lock_version": "1", "title": "Mine"})
        except Conflict as conflict:
            await conflict.response()(scope, receive, send)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http", "path": path,
        "raw_path": b"", "query_string": b"", "root_path": "", "headers": [(b"host", b"t")], "client": None, "server": None,
    }  # fmt: skip
    async with running(site.app):
        response = Response(RealtimeMiddleware(app, rt=site.rt), scope, b"")
        await response.start()
        text = (await response.rest()).decode()
        await response.close()
    assert f'action="{action}"' in text


# Other presets


async def test_detect_asks_whenever_the_form_is_stale() -> None:
    site = Papers("detect")
    async with running(site.app):
        ada = await site.person()
        site.change(price="11")
        answer = await ada.save(title="Mine")
        assert problem(answer) == (409, "stale")
        ada.take(answer)
        assert (await ada.send(ada.form)).status == 200
        assert (site.doc.title, site.doc.price) == ("Mine", "11")


async def test_a_form_of_some_fields_leaves_the_others_alone(site: Papers) -> None:
    page = """<html>{{ rt.head() }}<form>{{ rt.guard("doc", doc, fields=("price",), part="price") }}<input name="price" value="{{ doc.price }}"></form>"""
    site = Papers(page=page)
    site.rows[7] = Doc(public=True, teams=["red", "blue"])

    async def take(id: int, form: Any) -> Any:
        saving = await site.docs.check(site.rows[id], form, fields=["price"], part="price")
        assert list(saving.values) == ["price"]
        site.change(**saving.values)
        saving.done(site.doc)
        return PlainTextResponse("saved")

    site.take = take  # type: ignore[method-assign]
    async with running(site.app):
        ada = await site.person()
        site.change(title="Theirs", public=False)
        assert (await ada.save(price="12", title="Evil")).status == 200
        assert (site.doc.title, site.doc.price, site.doc.public, site.doc.teams) == (
            "Theirs",
            "12",
            False,
            ["red", "blue"],
        )


async def test_names_beside_the_guarded_ones_are_refused_where_they_are_declared(site: Papers) -> None:
    for fields in (
        {},
        {"a b": whole},
        {"": whole},
        {"lock_version": whole},
        {"rt-base": whole},
        {"rt-take-x": whole},
        {f"f{n}": whole for n in range(49)},
    ):
        with pytest.raises(ConfigurationError):
            site.rt.guard("other:{id}", fields, name="other")
    for options in (
        {"grace": 0.5},
        {"grace": 31},
        {"auto_grant": 0},
        {"auto_grant": -1},
        {"auto_grant": float("inf")},
        {"auto_grant": float("nan")},
        {"preset": "none"},
    ):
        with pytest.raises(ConfigurationError):
            site.rt.guard("other:{id}", {"a": whole}, name="other", **options)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError):
        site.rt.guard("doc:{id}", {"a": whole})
