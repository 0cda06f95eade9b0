"""`{prefix}/drafts/{key}`: whose it is, what it takes, and what it says when it cannot."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from pathlib import Path
from urllib.parse import urlencode

import pytest

from htmx_rt.stores import Store
from htmx_rt.stores.sqlite import SqliteStore
from htmx_rt.testing import Page

from ..desk import Shaky, key
from ..desk import store as store
from ..drafts_kit import Form, Office, opened_form
from ..kit import problem, running

pytestmark = pytest.mark.anyio


# Whose it is


async def test_somebody_elses_key_opens_nothing(store: Store) -> None:
    office = Office(store)
    async with running(office.app):
        ada, bob, nobody = await opened_form(office), await opened_form(office, "bob"), await opened_form(office, None)
        await ada.put(title="private")
        for other in (bob, nobody):
            own, other.key = other.key, ada.key
            for method, body in (("GET", b""), ("PUT", b'{"fields":{}}'), ("DELETE", b""), ("POST", b"title=x")):
                kind = "application/x-www-form-urlencoded" if method == "POST" else "application/json"
                answer = await other.call(method, body, content_type=kind)
                known = (401, "signed-out") if other is nobody else (403, "forbidden")
                assert problem(answer) == known, method
                assert "private" not in answer.text
            assert own != ada.key
        assert (await ada.look())["fields"] == {"title": ["private"]}


@pytest.mark.parametrize("key", ["x", "a.b", "WyJhIiwiYiJd.AAAA", "x" * 1024])
async def test_a_forged_key_opens_nothing(key: str) -> None:
    office = Office()
    async with running(office.app):
        form = await opened_form(office)
        form.key = key
        assert problem(await form.put(title="a")) == (403, "forbidden")


async def test_a_token_of_another_kind_is_no_key() -> None:
    office = Office()
    async with running(office.app):
        form = await opened_form(office)
        form.key = next(iter(form.page.grants.values()))
        assert problem(await form.put(title="a")) == (403, "forbidden")


async def test_the_same_name_of_two_people_is_two_drafts(store: Store) -> None:
    office = Office(store)
    async with running(office.app):
        ada, bob = await opened_form(office), await opened_form(office, "bob")
        strangers = [await opened_form(office, None) for _ in range(2)]
        for number, form in enumerate((ada, bob, *strangers)):
            assert (await form.put(title=f"{number}")).status == 200
        assert [(await form.look())["fields"]["title"] for form in (ada, bob, *strangers)] == [
            ["0"],
            ["1"],
            ["2"],
            ["3"],
        ]


async def test_whoever_signs_in_next_in_the_same_browser_sees_and_changes_nothing(store: Store) -> None:
    office = Office(store)
    async with running(office.app):
        ada = await opened_form(office)
        await ada.put(title="ada's")
        ada.browser.cookies["who"] = "bob"
        bob = await opened_form(office, browser=ada.browser)
        assert (bob.rev, bob.key == ada.key) == (0, False)
        assert problem(await ada.put(title="late")) == (403, "forbidden")  # the page that is still open
        assert problem(await ada.call("GET")) == (403, "forbidden")
        await bob.put(title="bob's")
        ada.browser.cookies["who"] = "ada"
        assert (await opened_form(office, browser=ada.browser)).rev == ada.rev
        assert (await (await opened_form(office)).look())["fields"] == {"title": ["ada's"]}


async def test_after_signing_out_nothing_is_kept_or_shown_until_they_are_back(store: Store) -> None:
    office = Office(store)
    async with running(office.app):
        form = await opened_form(office)
        await form.put(title="a")
        await form.browser.get("/out")
        form.browser.cookies.pop("who", None)
        for method in ("GET", "PUT", "DELETE"):
            answer = await form.call(method, b'{"fields":{"title":["b"]}}')
            assert problem(answer) == (401, "signed-out"), method
            assert '"a"' not in answer.text
        form.browser.cookies["who"] = "ada"
        again = await opened_form(office, browser=form.browser)
        assert (await again.look())["fields"] == {"title": ["a"]}
        assert (await again.put(title="b")).status == 200


async def test_a_session_that_is_over_is_said_to_be(store: Store) -> None:
    """The app was asked again, as our cookie is old, and knows nobody: the page is to say so, and to wait."""
    office = Office(store, limits={"identity_age": 60})
    async with running(office.app):
        form = await opened_form(office)
        await form.put(title="a")
        office.clock.advance(61)
        del form.browser.cookies["who"]
        assert problem(await form.put(title="b")) == (401, "signed-out")
        assert problem(await form.call("GET")) == (401, "signed-out")


async def test_an_old_cookie_is_asked_about_and_renewed(store: Store) -> None:
    office = Office(store, limits={"identity_age": 60})
    async with running(office.app):
        form = await opened_form(office)
        office.clock.advance(61)
        before = form.browser.cookies["rt-app"]
        assert (await form.put(title="a")).status == 200
        assert form.browser.cookies["rt-app"] != before
        office.clock.advance(61)
        form.browser.cookies["who"] = "bob"
        assert problem(await form.put(title="b")) == (403, "forbidden")


async def test_without_a_cookie_nobody_knows_whose_it_is() -> None:
    office = Office()
    async with running(office.app):
        form = await opened_form(office)
        form.browser.cookies.clear()
        for method in ("GET", "PUT", "DELETE", "POST"):
            assert problem(await form.call(method, b"{}")) == (401, "no-cookie")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
async def test_another_site_cannot_change_it(method: str) -> None:
    office = Office()
    async with running(office.app):
        form = await opened_form(office)
        await form.put(title="a")
        for headers in ({"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"}):
            assert problem(await form.call(method, b'{"fields":{}}', **headers)) == (403, "forbidden")
        assert (await form.look())["fields"] == {"title": ["a"]}


# What it takes


@pytest.mark.parametrize("rev", ["", "-1", "x", "1.5", "9" * 16, "0x1"])
async def test_a_change_says_which_revision_it_was_made_on(rev: str) -> None:
    office = Office()
    async with running(office.app):
        form = await opened_form(office)
        for method in ("PUT", "DELETE"):
            assert problem(await form.call(method, b'{"fields":{}}', rev=rev)) == (400, "bad-request")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", b'{"fields":[]}', b'{"fields":{"a":"b"}}', b'{"fields":{"a":[1]}}', b'{"fields":{"a":[null]}}',
        b'{"fields":{"a":[["b"]]}}', b'{"fields":', json.dumps({"fields": {f"f{n}": [""] for n in range(501)}}).encode(),
        json.dumps({"fields": {"a": [""] * 501}}).encode(),
    ],
)  # fmt: skip
async def test_what_is_no_form_is_refused(body: bytes) -> None:
    office = Office()
    async with running(office.app):
        form = await opened_form(office)
        assert problem(await form.call("PUT", body)) == (400, "bad-request")
        assert problem(await form.call("PUT", body, content_type="text/plain")) == (400, "bad-request")
        assert (await form.look())["rev"] == 0


async def test_any_text_comes_back_as_it_was(store: Store) -> None:
    office = Office(store)
    fields = {
        "": ["no name"], "a b[c].d": ["x"], "ä": ["\x00\n\r\t\u2028", "𐍈🏳️‍🌈", "<script>'\"&"], "empty": [""], "none": [],
        "__proto__": ["x"], "constructor": ["y"],
    }  # fmt: skip
    async with running(office.app):
        form = await opened_form(office)
        assert (await form.put(fields)).status == 200
        assert (await form.look())["fields"] == fields
        # Half a character is no character: it becomes a question mark, and nothing fails.
        assert (await form.put({"a": ["x\ud800y"]})).status == 200
        assert (await form.look())["fields"] == {"a": ["x?y"]}


async def test_what_is_too_large_is_refused_and_what_was_there_stays(store: Store) -> None:
    office = Office(store, limits={"draft": 1000.0})
    async with running(office.app):
        form = await opened_form(office)
        for text, status in (
            ("x" * 900, 200),
            ("ü" * 480, 200),
            ("x" * 1000, 413),
            ("ü" * 500, 413),
            ("x" * 10_000, 413),
        ):
            answer = await form.put(title=text)
            assert answer.status == status, len(text)
            assert status == 200 or answer.header("RT-Problem") == "too-large"
        assert (await form.look())["fields"] == {"title": ["ü" * 480]}
        posted = await keep(form, title="x" * 1200)
        assert problem(posted) == (413, "too-large")


async def test_64_kib_are_kept_with_encryption_too(store: Store) -> None:
    from cryptography.fernet import Fernet

    office = Office(store, draft_keys=Fernet.generate_key().decode())
    async with running(office.app):
        form = await opened_form(office)
        assert (await form.put(title="x" * 65_000)).status == 200
        assert (await form.look())["fields"] == {"title": ["x" * 65_000]}


SECRET = [
    "password", "new_password", "passwordConfirm", "user[passwd]", "pwd", "otp", "sms_otp", "smsOtp", "OTP", "one-time-code",
    "oneTimeCode", "cvc", "card_cvv", "cardNumber", "card_number", "csrf_token", "csrfmiddlewaretoken", "_csrf",
    "authenticity_token", "lock_version", "rt-base", "rt-base.title", "rt-fence",
]  # fmt: skip
PLAIN = [
    "title",
    "footprint",
    "hotpot",
    "laptop_type",
    "potential",
    "passenger",
    "compass",
    "phone",
    "start-date",
    "lock_versions",
]


async def test_secrets_are_never_kept_whoever_sends_them(store: Store) -> None:
    office = Office(store)
    async with running(office.app):
        form = await opened_form(office)
        await form.put({name: ["x"] for name in SECRET + PLAIN})
        assert list((await form.look())["fields"]) == PLAIN
        await keep(form, **dict.fromkeys(SECRET + PLAIN, "y"))
        assert list((await form.look())["fields"].items()) == [(name, ["y"]) for name in PLAIN]


async def test_too_many_calls_of_a_form_are_refused_and_of_many_people_are_not() -> None:
    office = Office(limits={"calls_burst": 5.0, "calls_per_second": 0.001})
    async with running(office.app):
        people = [await opened_form(office, f"person{number}") for number in range(12)]
        assert {(await form.put(title="x")).status for form in people} == {200}
        answers = [await people[0].put(title=str(number)) for number in range(6)]
        assert [answer.status for answer in answers] == [200] * 4 + [429] * 2
        assert (answers[-1].header("RT-Problem"), answers[-1].header("retry-after")) == ("limited", "2")
        assert (await people[1].put(title="y")).status == 200


async def test_no_answer_is_kept_by_a_cache() -> None:
    office = Office()
    async with running(office.app):
        form = await opened_form(office)
        answers = [
            await form.put(title="a"),
            await form.call("GET"),
            await form.put(title="b", rev=7),
            await form.call("DELETE"),
        ]
        answers.append(await keep(form, title="c"))
    assert [answer.status for answer in answers] == [200, 200, 409, 200, 303]
    assert {answer.header("cache-control") for answer in answers} == {"private, no-store"}


async def test_other_methods_are_not_for_it() -> None:
    office = Office()
    async with running(office.app):
        form = await opened_form(office)
        assert (await form.call("PATCH")).status == 405
        head = await form.call("HEAD")
        assert (head.status, head.text) == (200, "")


# While the store is away


async def test_while_the_store_is_away_it_says_so_and_when_to_come_back() -> None:
    shaky = Shaky()
    office = Office(shaky)
    async with running(office.app):
        form = await opened_form(office)
        await form.put(title="a")
        shaky.away = True
        for method in ("GET", "PUT", "DELETE"):
            answer = await form.call(method, b'{"fields":{"title":["b"]}}')
            assert (problem(answer), answer.header("retry-after")) == ((503, "limited"), "5"), method
        assert problem(await keep(form, title="c")) == (503, "limited")
        shaky.away = False
        assert (await form.put(title="d")).status == 200


async def test_a_save_whose_answer_was_lost_is_not_taken_for_somebody_elses() -> None:
    shaky = Shaky()
    office = Office(shaky)
    async with running(office.app):
        form = await opened_form(office)
        shaky.deaf = 1
        assert (await form.put(title="a")).status == 503
        assert (await form.put(title="a")).status == 200
        assert (await form.put(title="b")).status == 200


async def test_a_locked_database_holds_up_neither_pages_nor_streams(tmp_path: Path) -> None:
    """Somebody holds the file for 30 s: saves are refused in time, off the loop; all else goes on meanwhile."""
    path = str(tmp_path / "rt.db")
    office = Office(SqliteStore(path, busy=4.0), receipts=False)
    async with running(office.app):
        form = await opened_form(office)
        await form.put(title="a")
        page = await form.browser.get("/?t=board:1")
        async with form.browser.stream(page) as stream:
            await stream.checkpoint()
            other = sqlite3.connect(path, isolation_level=None)
            other.execute("BEGIN EXCLUSIVE")
            start = time.monotonic()
            saves = [asyncio.create_task(form.put(title=f"{number}")) for number in range(10)]
            sending = asyncio.create_task(form.send(key()))
            longest, said = 0.0, 0
            while not (all(save.done() for save in saves) and sending.done()):
                before = time.monotonic()
                office.rt.topic("board:1").text("#x", "hello")
                await stream.event("rt:ops")
                said += 1
                longest = max(longest, time.monotonic() - before)
                await asyncio.sleep(0.01)
            took = time.monotonic() - start
            assert {problem(await save) for save in saves} == {(503, "limited")}
            assert (await sending).status == 303
            other.execute("ROLLBACK")
            other.close()
            assert (await form.put(title="b")).status == 200
    print(f"refused after {took:.2f} s; {said} messages meanwhile, the slowest {longest * 1000:.0f} ms")
    assert took <= 5
    assert longest < 0.5


# Without scripts


async def keep(form: Form, **fields: str) -> Page:
    """Press "Save as draft"."""
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "referer": "http://testserver/form?look=1&n=application",
    }
    return await form.browser.request("POST", form.path, urlencode(fields).encode(), headers=headers)


async def test_a_page_without_scripts_posts_its_form_and_comes_back(store: Store) -> None:
    office = Office(store)
    async with running(office.app):
        form = await opened_form(office)
        action = (
            f'formaction="/_rt/drafts/{form.key}" formmethod="post" formenctype="application/x-www-form-urlencoded"'
        )
        assert action in form.page.text
        answer = await keep(form, title="Crème", days="mon")
        assert (answer.status, answer.header("location")) == (303, "/form?look=1&n=application")
        back = await opened_form(office, browser=form.browser)
        assert "data-at=" in back.rest
        assert "<p>Draft saved 2027-01-15 08:00 UTC</p>" in back.page.text
        assert (await back.look())["fields"] == {"title": ["Crème"], "days": ["mon"]}
        # It keeps what its reader sees, whatever was there, after it was sent too.
        assert (await keep(form, title="again")).status == 303
        await form.browser.post("/done/application")
        assert (await keep(form, title="the next")).status == 303
        assert (await back.look())["fields"] == {"title": ["the next"]}


async def test_many_at_once_without_scripts_are_all_kept_one_after_the_other(store: Store) -> None:
    office = Office(store)
    async with running(office.app):
        form = await opened_form(office)
        answers = await asyncio.gather(*(keep(form, title=str(number)) for number in range(4)))
        assert [answer.status for answer in answers] == [303] * 4


@pytest.mark.parametrize(
    "referer", ["", "https://evil.example/x", "http://testserver//evil.example", "http://testserver/_rt/x", "http://[x"]
)
async def test_it_sends_nobody_away_from_the_site(referer: str) -> None:
    office = Office()
    async with running(office.app):
        form = await opened_form(office)
        headers = {"content-type": "application/x-www-form-urlencoded", "referer": referer}
        answer = await form.browser.request("POST", form.path, b"title=x", headers=headers)
        assert (answer.status, answer.header("location")) == (303, "/")


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "text/plain", "application/json", ""])
async def test_another_kind_of_form_is_refused(kind: str) -> None:
    office = Office()
    async with running(office.app):
        form = await opened_form(office)
        answer = await form.browser.request("POST", form.path, b"title=x", headers={"content-type": kind})
        assert problem(answer) == (400, "bad-request")


async def test_several_values_of_a_field_stay_several() -> None:
    office = Office()
    async with running(office.app):
        form = await opened_form(office)
        headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
        assert (await form.browser.request("POST", form.path, b"d=1&d=2&e=&f=%FF%41", headers=headers)).status == 303
        assert (await form.look())["fields"] == {"d": ["1", "2"], "e": [""], "f": ["\ufffdA"]}
        many = urlencode([(f"f{number}", "x") for number in range(501)]).encode()
        assert problem(await form.browser.request("POST", form.path, many, headers=headers)) == (413, "too-large")
