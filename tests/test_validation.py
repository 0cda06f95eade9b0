"""What is wrong with a form, whoever says so; what a check and a refused form are answered; and routes that do not know."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import pytest
import quart
from a2wsgi import WSGIMiddleware
from django.http import HttpResponse
from fastapi import FastAPI, Form
from fastapi.exceptions import RequestValidationError
from flask import Flask
from flask import request as flask_request
from jinja2 import Environment
from markupsafe import Markup
from pydantic import BaseModel, field_validator, model_validator
from pydantic import ValidationError as Invalid
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from htmx_rt import Realtime, RealtimeMiddleware
from htmx_rt.exceptions import ConfigurationError
from htmx_rt.testing import Browser, Page
from htmx_rt.validation import error_id, errors_of

from .desk import Desk, key
from .kit import SECRET, problem, running

pytestmark = pytest.mark.anyio
HTMX = {"hx-request": "true"}


def data(page: Page) -> Any:
    return json.loads(page.text)


def check(*names: str) -> dict[str, str]:
    return {"rt-validate": ",".join(names)}


# What is wrong


class Street(BaseModel):
    street: str


class Signup(BaseModel):
    email: str
    age: int
    tags: list[int] = []
    address: Street | None = None
    lines: list[Street] = []

    @field_validator("email")
    @classmethod
    def is_an_address(cls, value: str) -> str:
        if "@" not in value:
            raise ValueError("This is no address.")
        return value

    @model_validator(mode="after")
    def is_somebody(self) -> Signup:
        if self.email == "no@body":
            raise ValueError("Nobody cannot sign up.")
        return self


def invalid(**values: object) -> Invalid:
    with pytest.raises(Invalid) as caught:
        Signup.model_validate(values)
    return caught.value


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (None, {}),
        ({}, {}),
        ("Not like this.", {"": ["Not like this."]}),
        (["One.", "Two."], {"": ["One.", "Two."]}),
        ({"email": "No."}, {"email": ["No."]}),
        ({"email": ["No.", "Never."], "name": (), "x": None, "y": ""}, {"email": ["No.", "Never."]}),
        ({None: ["Whole."], "__all__": ["More."], "": "Most."}, {"": ["Whole.", "More.", "Most."]}),
        ({7: [8]}, {"7": ["8"]}),
        ({"email": Markup("<b>No</b>")}, {"email": ["<b>No</b>"]}),
        # as WTForms says it: a list of fields, a form inside the form, and both
        ({"tags": [[], ["Too long."]]}, {"tags-1": ["Too long."]}),
        ({"address": {"street": ["Missing."]}}, {"address-street": ["Missing."]}),
        ({"rows": [{}, {"street": ["Missing."]}]}, {"rows-1-street": ["Missing."]}),
        ([{"loc": ("email",), "msg": "No."}], {"email": ["No."]}),
        ([{"key": "email", "message": "No."}], {"email": ["No."]}),
    ],
)
def test_what_is_wrong_is_read_from_what_there_is(given: object, found: dict[str, list[str]]) -> None:
    assert errors_of(given) == found
    assert errors_of(errors_of(given)) == found


def test_a_form_with_errors_is_enough() -> None:
    class Whole:
        errors = {"email": ["No."]}  # noqa: RUF012

    assert errors_of(Whole()) == {"email": ["No."]}


def test_pydantic_is_understood_in_its_own_words_and_in_ours() -> None:
    found = errors_of(invalid(email="ada", age="x", tags=[1, "y"], address={}, lines=[{"street": "a"}, {}]))
    assert found["email"] == ["This is no address."]
    assert "integer" in found["age"][0]
    assert "integer" in found["tags"][0]
    assert found["address.street"] == ["Field required"]
    assert found["lines.1.street"] == ["Field required"]
    assert errors_of(invalid(email="no@body", age=1)) == {"": ["Nobody cannot sign up."]}


@pytest.mark.parametrize("given", [7, object(), 1.5])
def test_what_says_nothing_of_errors_is_refused(given: object) -> None:
    with pytest.raises(ConfigurationError, match=r"form\.errors"):
        errors_of(given)


def test_there_is_an_end_to_it() -> None:
    assert len(errors_of({str(n): "No." for n in range(2000)})) == 500


def test_ids_are_words_and_differ() -> None:
    names = ["email", "items[0].name", "items.0.name", "a b", "ü", "a-b", "a_b", ""]
    ids = [error_id(name) for name in names] + [error_id("email", "signup")]
    assert len(set(ids)) == len(ids)
    assert all(one.split() == [one] and one.isascii() for one in ids)


# What is answered


def signing_up(**options: Any) -> Desk:
    desk = Desk(**options)

    async def post(request: Request) -> Response:
        form = await request.form()
        wrong = {name: "Missing." for name in ("email", "name", "größe, cm") if not form.get(name)}
        answer = desk.rt.validation(request, wrong | desk.__dict__.get("more", {}))
        if answer is not None:
            assert isinstance(answer, Response)
            return answer
        return PlainTextResponse("page" if wrong else "done")

    desk.does["signup"] = post
    return desk


async def test_a_check_is_told_of_the_fields_it_asks_about() -> None:
    desk = signing_up()
    async with running(desk.app):
        browser = await desk.visitor()
        answer = await browser.post("/do/signup", {"name": "Ada"}, headers=check("email", "name", "unknown"))
        assert (answer.status, data(answer)) == (200, {"errors": {"email": ["Missing."]}})
        assert answer.header("content-type") == "application/json"
        assert (answer.header("rt-validate"), answer.header("cache-control")) == ("1", "no-store")
        answer = await browser.post("/do/signup", {}, headers=check("gr%C3%B6%C3%9Fe%2C%20cm"))
        assert data(answer) == {"errors": {"größe, cm": ["Missing."]}}
        everything = {"email": "a", "name": "b", "größe, cm": "c"}
        assert data(await browser.post("/do/signup", everything, headers=check("email"))) == {"errors": {}}
        assert data(await browser.post("/do/signup", {}, headers=check(""))) == {"errors": {}}
        assert data(await browser.post("/do/signup", {}, headers=check("email") | HTMX)) == {
            "errors": {"email": ["Missing."]}
        }


async def test_a_form_that_htmx_sent_is_refused_with_all() -> None:
    desk = signing_up()
    async with running(desk.app):
        browser = await desk.visitor()
        answer = await browser.post("/do/signup", {"name": "Ada"}, headers=HTMX | {"accept-language": "de"})
        assert problem(answer) == (422, "validation")
        assert answer.header("content-type") == "application/problem+json"
        said = data(answer)
        assert said["errors"] == {"email": ["Missing."], "größe, cm": ["Missing."]}
        assert said["title"] == "2 Felder brauchen Ihre Aufmerksamkeit"
        assert said["detail"] == "Missing. Missing."
        desk.__dict__["more"] = {"": "Not today."}
        right = {"email": "a", "name": "b", "größe, cm": "c"}
        assert data(await browser.post("/do/signup", right, headers=HTMX))["title"] == "Not today."
        both = await browser.post("/do/signup", {"name": "A", "email": "b"}, headers=HTMX)
        assert data(both)["title"] == "1 field needs attention"
        desk.__dict__["more"] = {}
        one = await browser.post("/do/signup", {"name": "A", "email": "b"}, headers=HTMX)
        assert data(one)["title"] == "1 field needs attention"


async def test_a_plain_form_and_a_right_one_go_on() -> None:
    desk = signing_up()
    async with running(desk.app):
        browser = await desk.visitor()
        assert (await browser.post("/do/signup", {"name": "Ada"})).text == "page"
        right = {"email": "a", "name": "b", "größe, cm": "c"}
        assert (await browser.post("/do/signup", right, headers=HTMX)).text == "done"


async def test_a_refused_form_may_be_sent_again_with_the_same_key() -> None:
    desk = signing_up()
    async with running(desk.app):
        browser = await desk.visitor()
        headers = HTMX | {"idempotency-key": key(), "rt-tab": "t"}
        assert (await browser.post("/do/signup", {}, headers=headers)).status == 422
        right = {"email": "a", "name": "b", "größe, cm": "c"}
        assert (await browser.post("/do/signup", right, headers=headers)).text == "done"


async def test_a_check_is_no_action() -> None:
    desk = signing_up()
    async with running(desk.app):
        browser = await desk.visitor()
        answer = await browser.post("/do/signup", {}, headers=check("email") | {"idempotency-key": key()})
        assert problem(answer) == (400, "bad-request")
    assert desk.ran["signup"] == 0


async def test_outside_of_a_request_it_says_so() -> None:
    rt = Realtime(secret=SECRET)
    with pytest.raises(ConfigurationError, match="RealtimeMiddleware"):
        rt.validation(None, {})


async def test_an_unknown_framework_says_how() -> None:
    desk = Desk()

    async def post(request: Request) -> Response:
        with pytest.raises(ConfigurationError, match="make="):
            desk.rt.validation(object(), {})

        def make(body: str, *, status: int, headers: dict[str, str]) -> Response:
            return Response(body, status, headers | {"made": "so"})

        made = desk.rt.validation(object(), {}, make=make)
        assert isinstance(made, Response)
        return made

    desk.does["any"] = post
    async with running(desk.app):
        answer = await (await desk.visitor()).post("/do/any", {}, headers=check("email"))
    assert (answer.status, answer.header("made")) == (200, "so")


# Frameworks


def made_for_flask(rt: Realtime) -> Any:
    app = Flask(__name__)

    @app.post("/signup")
    def signup() -> Any:
        wrong = {} if flask_request.form.get("email") else {"email": "Missing."}
        return rt.validation(flask_request, wrong) or "done"

    return WSGIMiddleware(app)  # type: ignore[arg-type]


def made_for_async_flask(rt: Realtime) -> Any:
    app = Flask(__name__)

    @app.post("/signup")
    async def signup() -> Any:
        wrong = {} if flask_request.form.get("email") else {"email": "Missing."}
        return rt.validation(flask_request, wrong) or "done"

    return WSGIMiddleware(app)  # type: ignore[arg-type]


def made_for_quart(rt: Realtime) -> Any:
    app = quart.Quart(__name__)

    @app.post("/signup")
    async def signup() -> Any:
        wrong = {} if (await quart.request.form).get("email") else {"email": "Missing."}
        return rt.validation(quart.request, wrong) or "done"

    return app


def made_for_fastapi(rt: Realtime) -> Any:
    app = FastAPI()

    @app.exception_handler(RequestValidationError)
    async def refuse(request: Request, error: RequestValidationError) -> Any:
        return rt.validation(request, rt.errors(error)) or PlainTextResponse("page", 422)

    @app.post("/signup")
    async def signup(request: Request, email: Annotated[str, Form(min_length=1)]) -> Any:
        return rt.validation(request) or PlainTextResponse("done")

    return app


@pytest.mark.parametrize("make", [made_for_flask, made_for_async_flask, made_for_quart, made_for_fastapi])
async def test_it_answers_as_the_framework_does(make: Callable[[Realtime], Any]) -> None:
    rt = Realtime(secret=SECRET, name=f"v{key()[:12]}", debug=True)
    rt.install(Environment())
    app = RealtimeMiddleware(make(rt), rt=rt)
    async with running(app), Browser(app) as browser:
        answer = await browser.post("/signup", {"email": ""}, headers=check("email"))
        assert (answer.status, list(data(answer)["errors"])) == (200, ["email"])
        assert answer.header("rt-validate") == "1"
        assert answer.header("content-type") == "application/json"
        assert data(await browser.post("/signup", {"email": "a"}, headers=check("email"))) == {"errors": {}}
        refused = await browser.post("/signup", {"email": ""}, headers=HTMX)
        assert problem(refused) == (422, "validation")
        assert (await browser.post("/signup", {"email": "a"}, headers=HTMX)).text == "done"


async def test_django_makes_its_own() -> None:
    desk = Desk()
    make = partial(HttpResponse, charset="utf-8")  # as its settings say, which are for the whole process

    async def post(request: Request) -> Response:
        made = desk.rt.validation(request, {"email": "No."}, make=make)
        assert isinstance(made, HttpResponse)
        return Response(made.content, made.status_code, dict(made.items()))

    desk.does["any"] = post
    async with running(desk.app):
        answer = await (await desk.visitor()).post("/do/any", {}, headers=HTMX)
    assert problem(answer) == (422, "validation")


# Routes that do not know of checks


def unaware(answer: Response, **options: Any) -> Desk:
    desk = Desk(**options)

    async def post(request: Request) -> Response:
        return answer

    desk.does["old"] = post
    return desk


UNAWARE = [PlainTextResponse("done"), RedirectResponse("/done", 303), Response(status_code=204),
           PlainTextResponse("no", 422), PlainTextResponse("no", 404)]  # fmt: skip


@pytest.mark.parametrize("answer", UNAWARE, ids=lambda answer: str(answer.status_code))
async def test_a_route_that_does_not_know_is_named_once(answer: Response, caplog: pytest.LogCaptureFixture) -> None:
    desk = unaware(answer)
    async with running(desk.app):
        browser = await desk.visitor()
        for _ in range(3):
            assert (await browser.post("/do/old", {}, headers=check("email"))).status == answer.status_code
        await browser.post("/do/old", {})
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "/do/old" in record.getMessage()
    assert "rt.validation(request, errors)" in record.getMessage()


@pytest.mark.parametrize("answer", UNAWARE, ids=lambda answer: str(answer.status_code))
async def test_with_debug_it_raises(answer: Response) -> None:
    desk = unaware(answer, debug=True)
    async with running(desk.app):
        browser = await desk.visitor()
        with pytest.raises(ConfigurationError, match="live check of '/do/old'"):
            await browser.post("/do/old", {}, headers=check("email"))


@pytest.mark.parametrize("status", [400, 401, 403, 413, 429, 500, 503])
async def test_whoever_stops_a_check_on_its_way_is_no_fault_of_the_route(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    desk = unaware(PlainTextResponse("no", status), debug=True)
    async with running(desk.app):
        answer = await (await desk.visitor()).post("/do/old", {}, headers=check("email"))
    assert answer.status == status
    assert caplog.records == []


@pytest.mark.parametrize(
    ("to", "fault"), [("/sign-in?next=/x", False), ("https://testserver/sign-in", False), ("/done", True)]
)
async def test_the_way_to_sign_in_is_no_fault_either(to: str, fault: bool, caplog: pytest.LogCaptureFixture) -> None:
    desk = unaware(RedirectResponse(to, 303), sign_in="/sign-in?next={path}")
    async with running(desk.app):
        await (await desk.visitor()).post("/do/old", {}, headers=check("email"))
    assert bool(caplog.records) == fault


async def test_a_route_that_publishes_before_it_answers_is_named() -> None:
    desk = Desk(debug=True)

    async def post(request: Request) -> Response:
        desk.rt.topic("board:1").text("#x", "Done")
        answer = desk.rt.validation(request, {})
        assert isinstance(answer, Response)
        return answer

    desk.does["early"] = post
    async with running(desk.app):
        with pytest.raises(ConfigurationError, match="published something"):
            await (await desk.visitor()).post("/do/early", {}, headers=check("email"))


# Fields


async def test_fields_say_what_is_wrong_escaped() -> None:
    desk = Desk(templates={"it.html": "<input {{ rt.field(n, e, id='i', hint='h') }}>{{ rt.field_error(n, e) }}"})
    wrong = {'"><b>': ["<script>", "two"]}
    text = desk.rt.render("it.html", n='"><b>', e=wrong)
    assert "<script>" not in text
    assert "<b>" not in text
    field, place = Page(200, (), text, "/").select("input, span")
    assert (field["name"], field["id"], field["aria-invalid"]) == ('"><b>', "i", "true")
    assert field["aria-describedby"] == f"h {place['id']}"
    assert (place["rt-field-error"], place.text) == ('"><b>', "<script> two")
    right = desk.rt.render("it.html", n="email", e=None)
    field, place = Page(200, (), right, "/").select("input, span")
    assert "aria-invalid" not in field.attrs
    assert place.text == ""


async def test_two_forms_of_one_page_are_told_apart() -> None:
    desk = Desk(templates={"it.html": "{% for f in ('a', 'b') %}<input {{ rt.field('email', form=f) }}>{{ rt.field_error('email', form=f) }}{% endfor %}"})  # fmt: skip
    page = Page(200, (), desk.rt.render("it.html"), "/")
    ids = [place["id"] for place in page.select("span")]
    assert ids == [field["aria-describedby"] for field in page.select("input")]
    assert len(set(ids)) == 2
