"""What somebody has typed and not sent: never lost to an older tab, never somebody else's, never for ever."""

from __future__ import annotations

import asyncio
import json
import random

import pytest
from cryptography.fernet import Fernet
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from htmx_rt import Realtime
from htmx_rt.drafts import Draft
from htmx_rt.exceptions import ConfigurationError
from htmx_rt.stores import MemoryStore, Store

from .desk import Shaky, key
from .desk import store as store
from .drafts_kit import Form, Office, data, opened_form
from .kit import problem, running

pytestmark = pytest.mark.anyio
DAY = 24 * 3600.0


async def kept(form: Form) -> list[list[object]]:
    found: list[list[object]] = json.loads((await form.browser.get("/kept")).text)
    return found


# Keeping


async def test_what_was_kept_is_there_in_the_view_and_on_another_device(store: Store) -> None:
    office = Office(store)
    async with running(office.app):
        form = await opened_form(office)
        assert (form.rev, "data-at" in form.rest) == (0, False)
        answer = await form.put({"title": ["Crème brûlée 🍮"], "days": ["mon", "tue"], "note": [""]})
        assert (answer.status, data(answer)["gone"], data(answer)["at"]) == (200, [], office.clock())
        assert form.rev == data(answer)["rev"] > 0
        elsewhere = await opened_form(office)
        there = await elsewhere.look()
        ((name, rev, fields, at),) = await kept(elsewhere)
    assert (elsewhere.rev, f'data-at="{office.clock()}"' in elsewhere.rest) == (form.rev, True)
    assert fields == there["fields"] == {"title": ["Crème brûlée 🍮"], "days": ["mon", "tue"], "note": [""]}
    assert (name, rev, at, there["tab"], there["ended"]) == ("application", form.rev, office.clock(), "one", False)


async def test_each_save_is_made_on_the_one_before(store: Store) -> None:
    office = Office(store)
    async with running(office.app):
        form = await opened_form(office)
        revs = []
        for number in range(5):
            assert (await form.put(title=str(number))).status == 200
            revs.append(form.rev)
    assert revs == sorted(set(revs))


async def test_an_older_tab_never_writes_over_a_newer_draft(store: Store) -> None:
    office = Office(store)
    async with running(office.app):
        old = await opened_form(office, tab="old")
        await old.put(title="first")
        new = await opened_form(office, tab="new")
        await new.put(title="second")
        answer = await old.put(title="third")
        assert problem(answer) == (409, "draft-newer")
        there = data(answer)
        assert (there["rev"], there["fields"], there["tab"], there["ended"]) == (
            new.rev,
            {"title": ["second"]},
            "new",
            False,
        )
        assert answer.header("RT-Draft-Rev") == str(new.rev)
        # Whoever has looked at it may go on from there.
        assert (await old.put(title="third", rev=there["rev"])).status == 200
        assert problem(await new.put(title="fourth")) == (409, "draft-newer")
        assert (await new.look())["fields"] == {"title": ["third"]}


async def test_the_same_again_is_no_conflict(store: Store) -> None:
    """An answer that was lost on its way is asked for again; two devices that hold the same agree."""
    office = Office(store)
    async with running(office.app):
        form = await opened_form(office)
        first = data(await form.put(title="a"))
        again = await form.put(title="a", rev=0)
    assert (again.status, data(again)["rev"]) == (200, first["rev"])


@pytest.mark.parametrize("there", [False, True], ids=["new", "changed"])
async def test_of_many_at_once_exactly_one_wins(store: Store, there: bool) -> None:
    office = Office(store)
    async with running(office.app):
        first = await opened_form(office)
        if there:
            await first.put(title="before")
        forms = [await opened_form(office, tab=f"tab{number}", browser=first.browser) for number in range(20)]
        answers = await asyncio.gather(*(form.put(title=form.tab) for form in forms))
        kept_now = (await first.look())["fields"]["title"]
    won = [form.tab for form, answer in zip(forms, answers, strict=True) if answer.status == 200]
    assert kept_now == won
    lost = [data(answer) for answer in answers if answer.status == 409]
    assert len(lost) == 19
    assert {one["tab"] for one in lost} == set(won)
    assert {one["fields"]["title"][0] for one in lost} == set(won)


async def test_whatever_tabs_do_the_newest_is_kept() -> None:
    """Random tabs that save, look, send and discard, against a model of what must be there."""
    seed = random.randrange(10**9)
    print("seed", seed)
    chance = random.Random(seed)
    office = Office(limits={"calls_burst": 10_000.0})
    async with running(office.app):
        forms = [await opened_form(office, tab=f"tab{number}") for number in range(4)]
        rev, text = 0, ""
        for step in range(200):
            form, move = chance.choice(forms), chance.random()
            if move < 0.6:
                answer, allowed = await form.put(title=f"{step}"), form.rev == rev
                assert (answer.status == 200) == allowed or form.rev > rev, step
                if answer.status == 200:
                    assert form.rev > rev
                    rev, text = form.rev, f"{step}"
            elif move < 0.8:
                there = await form.look()
                form.rev = there["rev"]
                assert (there["rev"], there["fields"].get("title", [""])[0]) == (rev, text)
            elif move < 0.9:
                await form.browser.post("/done/application")
                rev, text = (await form.look())["rev"], ""
            else:
                answer = await form.call("DELETE")
                assert (answer.status == 200) == (form.rev == rev or not text), step
                rev, text = (data(answer)["rev"], "") if answer.status == 200 else (rev, text)


# Ending


async def test_a_sent_form_stops_saves_that_come_late(store: Store) -> None:
    office = Office(store)
    async with running(office.app):
        form = await opened_form(office)
        await form.put(title="a")
        assert (await form.browser.post("/done/application")).text == "taken in"
        late = await form.put(title="ab")
        assert problem(late) == (409, "draft-newer")
        assert (data(late)["ended"], data(late)["fields"]) == (True, {})
        assert await kept(form) == []
        assert await kept(await opened_form(office)) == []
        # Whoever opens it after that begins anew.
        fresh = await opened_form(office)
        assert (fresh.rev, "data-at" in fresh.rest) == (data(late)["rev"], False)
        assert (await fresh.put(title="new")).status == 200
        assert problem(await form.put(title="ab")) == (409, "draft-newer")


async def test_a_form_that_was_never_kept_stops_them_too(store: Store) -> None:
    office = Office(store)
    async with running(office.app):
        form = await opened_form(office)
        await form.browser.post("/done/application")
        assert data(await form.put(title="late"))["ended"]


async def test_to_end_it_twice_is_once(store: Store) -> None:
    """The view and the header both say that it was sent: a page rendered in between is not out of date."""
    office = Office(store)
    async with running(office.app):
        form = await opened_form(office)
        await form.put(title="a")
        await form.browser.post("/done/application")
        fresh = await opened_form(office)
        await form.browser.post("/done/application")
        assert (await fresh.put(title="b")).status == 200


async def test_discarding_leaves_a_tombstone_and_spares_what_is_newer(store: Store) -> None:
    office = Office(store)
    async with running(office.app):
        old = await opened_form(office)
        await old.put(title="a")
        new = await opened_form(office, tab="new")
        await new.put(title="b")
        refused = await old.call("DELETE")
        assert problem(refused) == (409, "draft-newer")
        assert data(refused)["fields"] == {"title": ["b"]}
        answer = await new.call("DELETE")
        assert (answer.status, data(answer)["rev"] > new.rev) == (200, True)
        assert data(await old.put(title="late"))["ended"]
        assert await kept(old) == []


# Time and room


async def test_a_draft_goes_a_week_after_it_was_changed_last(store: Store) -> None:
    office = Office(store, limits={"identity_age": 10**9, "silence": 10**9})
    async with running(office.app):
        form = await opened_form(office)
        await form.put(title="a")
        office.clock.advance(6 * DAY)
        assert (await form.put(title="ab")).status == 200
        office.clock.advance(6 * DAY)
        assert len(await kept(form)) == 1
        office.clock.advance(1 * DAY + 1)
        assert await kept(form) == []
        there = await form.look()
        assert (there["rev"], there["ended"]) == (0, False)
        # The page that still holds it is told that there is none, and may keep it anew.
        answer = await form.put(title="abc")
        assert (problem(answer), data(answer)["rev"], data(answer)["ended"]) == ((409, "draft-newer"), 0, False)
        assert (await form.put(title="abc", rev=0)).status == 200


async def test_a_tombstone_goes_after_a_day(store: Store) -> None:
    office = Office(store, limits={"identity_age": 10**9, "silence": 10**9})
    async with running(office.app):
        form = await opened_form(office)
        await form.browser.post("/done/application")
        office.clock.advance(DAY + 1)
        assert (await form.put(title="a")).status == 200


async def test_a_tab_from_before_it_was_forgotten_does_not_pass_for_a_new_one(store: Store) -> None:
    """Revisions never come again, even after everything was forgotten."""
    office = Office(store, limits={"identity_age": 10**9, "silence": 10**9})
    async with running(office.app):
        old = await opened_form(office)
        await old.put(title="old")
        office.clock.advance(8 * DAY)
        new = await opened_form(office, tab="new")
        await new.put(title="new")
        assert problem(await old.put(title="older")) == (409, "draft-newer")
        assert (await new.look())["fields"] == {"title": ["new"]}


async def test_the_oldest_of_too_many_goes_and_whoever_keeps_is_told(store: Store) -> None:
    office = Office(store, limits={"drafts_per_person": 5.0, "calls_burst": 1000.0})
    async with running(office.app):
        forms = []
        for number in range(5):
            forms.append(await opened_form(office, name=f"f:{number}"))
            office.clock.advance(1)
            assert data(await forms[-1].put(title="x"))["gone"] == []
        office.clock.advance(1)
        await forms[0].put(title="xy")  # is the newest now
        other = await opened_form(office, "bob", name="f:9")
        assert data(await other.put(title="x"))["gone"] == []
        one_more = await opened_form(office, name="f:5")
        office.clock.advance(1)
        assert data(await one_more.put(title="x"))["gone"] == ["f:1"]
        assert [name for name, *_ in await kept(one_more)] == ["f:5", "f:0", "f:4", "f:3", "f:2"]
        assert data(await forms[0].put(title="xyz"))["gone"] == []  # a change needs no room
        assert (await forms[1].look())["rev"] == 0


async def test_a_hundred_may_be_kept_whatever_was_sent_today(store: Store) -> None:
    office = Office(store, limits={"calls_burst": 100_000.0})
    async with running(office.app):
        form = await opened_form(office)
        drafts, owner = office.rt.drafts, office.rt.identity.owner
        ada = owner(office.rt.identity.open(scope_of(form)))
        for number in range(400):
            await drafts.end(ada, f"sent {number}")
        for number in range(102):
            office.clock.advance(1)
            _, gone = await drafts.keep(ada, f"draft {number}", {"a": ["b"]}, rev=0, tab="t")
            assert gone == ([] if number < 100 else [f"draft {number - 100}"])
        assert [name for name, *_ in await kept(form)] == [f"draft {number}" for number in range(101, 1, -1)]


def scope_of(form: Form) -> dict[str, object]:
    cookie = "; ".join(f"{name}={value}" for name, value in form.browser.cookies.items())
    return {"type": "http", "method": "PUT", "path": "/", "scheme": "http", "headers": [(b"cookie", cookie.encode())]}


async def test_nothing_goes_for_a_draft_that_is_refused() -> None:
    shaky = Shaky()
    office = Office(shaky, limits={"drafts_per_person": 1.0})
    async with running(office.app):
        first = await opened_form(office, name="a")
        await first.put(title="a")
        second = await opened_form(office, name="b")
        shaky.deaf = 1
        assert problem(await second.put(title="b", rev=5)) == (409, "draft-newer")
        shaky.deaf, shaky.open = 0, asyncio.Event()
        keeping = [asyncio.create_task(second.put(title=f"b{number}", rev=0)) for number in range(2)]
        await shaky.waiting.wait()
        shaky.open.set()
        answers = sorted([await one for one in keeping], key=lambda answer: answer.status)
        assert [answer.status for answer in answers] == [200, 409]
        assert [name for name, *_ in await kept(first)] == ["b"]


# Encryption


async def written(office: Office) -> bytes:
    ((_, item),) = await office.rt.store.scan("draft:")
    return item.value


async def test_with_keys_nothing_can_be_read_in_the_store(store: Store) -> None:
    office = Office(store, draft_keys=Fernet.generate_key().decode())
    async with running(office.app):
        form = await opened_form(office)
        await form.put(title="my diagnosis")
        assert b"diagnosis" not in await written(office)
        assert b"application" not in await written(office)
        assert (await form.look())["fields"] == {"title": ["my diagnosis"]}


async def test_keys_are_changed_without_losing_a_draft() -> None:
    shared, old, new = MemoryStore(), Fernet.generate_key().decode(), Fernet.generate_key().decode()
    plain = Office(shared)
    secret = {"secret": "one secret for all of these apps, long enough"}
    ciphers = [{}, {"draft_keys": old}, {"draft_keys": [new, old]}, {"draft_keys": [new]}]
    del plain
    for number, keys in enumerate(ciphers):
        office = Office(shared, **secret, **keys)
        async with running(office.app):
            form = await opened_form(office)
            if number:
                assert (await form.look())["fields"] == {"title": [f"{number - 1}"]}, keys
            assert (await form.put(title=f"{number}")).status == 200


async def test_what_no_key_opens_is_gone_and_may_be_written_anew(caplog: pytest.LogCaptureFixture) -> None:
    shared = MemoryStore()
    secret = {"secret": "one secret for all of these apps, long enough"}
    for number, keys in enumerate([Fernet.generate_key().decode(), Fernet.generate_key().decode(), None]):
        office = Office(shared, draft_keys=keys, **secret)
        async with running(office.app):
            form = await opened_form(office)
            there = await form.look()
            assert (there["fields"], there["ended"], "data-at" in form.rest) == ({}, bool(number), False)
            assert await kept(form) == []
            assert (await form.put(title="a")).status == 200
            if number == 1:
                assert "no key of draft_keys= fits" in caplog.text
            assert len(await kept(form)) == 1
        if keys is None:
            break
        # The next one has another key.


@pytest.mark.parametrize("keys", ["short", b"x" * 44, ["", ""], [Fernet.generate_key(), "no"]])
def test_what_is_no_key_is_refused_at_once(keys: object) -> None:
    with pytest.raises(ConfigurationError, match="Fernet"):
        Realtime(secret="a secret of thirty-two bytes or more", draft_keys=keys)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value", [b"", b"null", b"[]", b"{}", b"f", b"fgAAAA", b"\xff\xfe", b'{"name":1}', b'{"name":"x","fields":3}']
)
async def test_a_value_that_is_none_of_ours_harms_nobody(store: Store, value: bytes) -> None:
    office = Office(store)
    async with running(office.app):
        form = await opened_form(office)
        await form.put(title="a")
        ((name, _),) = await store.scan("draft:")
        await store.put(name, value, ttl=60)
        again = await opened_form(office)
        assert await kept(again) == []
        assert (await again.put(title="b")).status == 200
        assert (await again.look())["fields"] == {"title": ["b"]}


# What a view asks


def test_a_draft_reads_like_a_form() -> None:
    draft = Draft("a", 1, {"title": ["x", "y"], "none": []})
    assert (draft["title"], draft.get("title"), draft.getlist("title"), list(draft)) == (
        "x",
        "x",
        ["x", "y"],
        ["title", "none"],
    )
    assert (draft.get("no"), draft.get("no", 3), draft.get("none"), draft.getlist("no")) == ("", 3, "", [])
    assert ("title" in draft, "no" in draft, bool(draft), bool(Draft("a")), bool(Draft("a", 2, ended=True))) == (
        True, False, True, False, False,
    )  # fmt: skip
    for name in ("no", "none"):
        with pytest.raises(KeyError):
            draft[name]


@pytest.mark.parametrize("name", ["", "a" * 129, "a\nb", None, 7, "\ud800"])
async def test_a_name_that_is_none_is_refused(name: object) -> None:
    async def view(request: Request) -> Response:
        with pytest.raises(ConfigurationError, match="draft name"):
            await office.rt.drafts.get(name)  # type: ignore[arg-type]
        return PlainTextResponse("refused")

    office = Office()
    office.inner.router.routes.insert(0, Route("/view", view))
    async with running(office.app):
        assert (await office.browser("ada").get("/view")).text == "refused"


async def test_outside_a_request_it_is_said_so() -> None:
    with pytest.raises(ConfigurationError, match=r"rt\.drafts\.get\(\) was called outside a request"):
        Realtime(secret="a secret of thirty-two bytes or more").drafts.get("a")


async def test_a_view_in_a_thread_asks_for_the_result(store: Store) -> None:
    def view(request: Request) -> Response:
        draft = office.rt.drafts.get("application").result(5)
        office.rt.drafts.done("application").result(5)
        return PlainTextResponse(draft.get("title"))

    office = Office(store)
    office.inner.router.routes.insert(0, Route("/view", view))
    async with running(office.app):
        form = await opened_form(office)
        await form.put(title="from a thread")
        assert (await form.browser.get("/view")).text == "from a thread"
        assert await kept(form) == []


# A form that was sent


@pytest.mark.parametrize("status", [200, 204, 303])
async def test_a_form_that_was_taken_in_needs_no_draft_any_more(store: Store, status: int) -> None:
    office = Office(store)
    async with running(office.app):
        form = await opened_form(office)
        await form.put(title="a")
        office.sends = [RedirectResponse("/form?look=1", 303) if status == 303 else Response("", status)]
        assert (await form.send(key())).status == status
        # By the time the answer is there it has gone: the page that follows does not offer it.
        assert await kept(form) == []
        assert data(await form.put(title="late"))["ended"]


@pytest.mark.parametrize("status", [400, 401, 403, 409, 412, 422, 423, 428, 500, 503])
async def test_a_form_that_was_refused_keeps_its_draft(store: Store, status: int) -> None:
    office = Office(store)
    async with running(office.app):
        form = await opened_form(office)
        await form.put(title="a")
        office.sends = [Response("", status)]
        assert (await form.send(key())).status == status
        assert len(await kept(form)) == 1
        assert (await form.put(title="ab")).status == 200


async def test_a_problem_is_none_taken_in_whatever_its_status() -> None:
    office = Office()
    async with running(office.app):
        form = await opened_form(office)
        await form.put(title="a")
        office.sends = [Response("", 200, {"RT-Problem": "validation"})]
        await form.send(key())
        assert len(await kept(form)) == 1


async def test_a_handler_that_raises_keeps_it() -> None:
    async def fails(_: Request) -> Response:
        raise RuntimeError("no")

    office = Office()
    office.does["fail"] = fails
    async with running(office.app):
        form = await opened_form(office)
        await form.put(title="a")
        with pytest.raises(RuntimeError, match="no"):
            await form.send(key(), "/do/fail")
        assert len(await kept(form)) == 1


async def test_a_form_sent_again_does_not_end_what_was_typed_since(store: Store) -> None:
    office, action = Office(store), key()
    async with running(office.app):
        form = await opened_form(office)
        await form.put(title="a")
        assert (await form.send(action)).status == 303
        fresh = await opened_form(office)
        await fresh.put(title="the next one")
        again = await form.send(action)
        assert (again.status, again.header("Idempotency-Replayed"), office.ran["send"]) == (303, "true", 1)
        assert len(await kept(form)) == 1


async def test_a_form_of_a_page_without_action_ids_ends_it_too() -> None:
    office = Office()
    async with running(office.app):
        form = await opened_form(office)
        await form.put(title="a")
        await form.send()
        assert await kept(form) == []


async def test_a_redirect_to_sign_in_is_no_form_taken_in() -> None:
    office = Office()
    async with running(office.app):
        form = await opened_form(office)
        await form.put(title="a")
        del form.browser.cookies["who"]  # the app's session is over; nobody has told us
        office.sends = [RedirectResponse("/sign-in", 303)]
        await form.send(key())
        form.browser.cookies["who"] = "ada"
        assert len(await kept(form)) == 1


async def test_a_form_that_signs_somebody_up_ends_the_draft_of_nobody() -> None:
    async def sign_up(request: Request) -> Response:
        office.rt.set_user("ada")
        return PlainTextResponse("welcome")

    office = Office(identify=None)
    office.does["up"] = sign_up
    async with running(office.app):
        form = await opened_form(office, None)
        await form.put(email="ada@example.com")
        owner = office.rt.identity.owner(office.rt.identity.open(scope_of(form)))
        assert await office.rt.drafts.find(owner, "application")
        await form.send(key(), "/do/up")
        assert (await office.rt.drafts.find(owner, "application")).ended


async def test_somebody_elses_key_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    office = Office()
    async with running(office.app):
        ada, bob = await opened_form(office), await opened_form(office, "bob")
        await ada.put(title="a")
        bob.key = ada.key
        assert (await bob.send(key())).status == 303
        bob.key = "forged"
        assert (await bob.send(key())).status == 303
        assert len(await kept(ada)) == 1


async def test_a_form_is_taken_in_while_the_store_is_away(caplog: pytest.LogCaptureFixture) -> None:
    shaky = Shaky()
    office = Office(shaky, receipts=False)
    async with running(office.app):
        form = await opened_form(office)
        await form.put(title="a")
        shaky.away = True
        assert (await form.send(key())).status == 303
        assert "could not be forgotten" in caplog.text
        shaky.away = False
        # Where it does not answer at all, the form is not held up for long, and the draft goes later.
        shaky.open.clear()
        async with asyncio.timeout(3):
            assert (await form.send(key())).status == 303
        shaky.open.set()
        async with asyncio.timeout(3):
            while await kept(form):
                await asyncio.sleep(0.01)
