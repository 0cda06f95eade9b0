"""Fields that are checked while somebody types, by the route that the form is sent to.

A check is a POST of the form's values with `RT-Validate: email,name`; its answer has the errors of these fields, and
nothing is done. Of a form that htmx has sent and that cannot be taken as it is, the answer has all of them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import unquote

from starlette.requests import HTTPConnection
from starlette.responses import Response

from . import protocol
from .exceptions import ConfigurationError
from .request_state import RequestState
from .types import Message

log = logging.getLogger("htmx_rt")

Errors = dict[str, list[str]]  # name of a field → what is wrong with it; "" is the form as a whole
Make = Callable[..., Any]

MOST: Final = 500  # fields
DETAIL: Final = 200  # characters
HEADER: Final = protocol.VALIDATE.lower().encode()
_WHOLE: Final = (None, "", "__all__")
_TUPLES: Final = ("flask", "quart", "werkzeug")  # whose views may return (body, status, headers)
_WHERE: Final = ("body", "query", "path", "header", "cookie", "form")


def errors_of(value: object) -> Errors:
    """Return what is wrong, by field, of what form libraries give. Raised for anything else: `ConfigurationError`."""
    found: Errors = {}
    listed = getattr(value, "errors", None)
    if isinstance(listed, Mapping):  # a form itself
        return errors_of(listed)
    if callable(listed) and not isinstance(value, Mapping):  # pydantic's and FastAPI's exceptions
        strip = "RequestValidation" in type(value).__name__
        for one in listed():
            _add_located(found, one, strip=strip)
    elif isinstance(value, str):
        _add(found, "", value)
    elif isinstance(value, Mapping):
        for key, texts in value.items():
            _add(found, "" if key in _WHOLE else str(key), texts)
    elif isinstance(value, Iterable):
        for one in value:
            if isinstance(one, Mapping) and ("loc" in one or "key" in one):
                _add_located(found, one, strip=False)
            else:
                _add(found, "", one)
    elif value is not None:
        raise ConfigurationError(
            f"{value!r} says nothing of errors. Pass a dict of field → text or texts, form.errors, or the exception of a "
            "validator."
        )
    return found


def _add(found: Errors, name: str, value: object) -> None:
    """Take in the texts of a field, and of those inside it: `items-0`, `address-street`, as WTForms calls them."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _add(found, f"{name}-{key}" if name else str(key), inner)
    elif isinstance(value, list | tuple | set | frozenset):
        for index, inner in enumerate(value):
            nested = isinstance(inner, Mapping | list | tuple)
            _add(found, f"{name}-{index}" if nested and name else name, inner)
    elif value is not None and (text := str(value).strip()) and (name in found or len(found) < MOST):
        found.setdefault(name, []).append(text)


def _add_located(found: Errors, error: Mapping[str, Any], *, strip: bool) -> None:
    """Take in one of a list such as pydantic's, which say where: `("address", "street")`, `("tags", 0)`."""
    where = error.get("loc", error.get("key", ()))
    parts = list(where) if isinstance(where, tuple | list) else [where]
    if strip and parts and parts[0] in _WHERE:
        parts = parts[1:]
    while parts and isinstance(parts[-1], int):  # one of several values of the same field
        parts.pop()
    # Of a validator of the app's own these are its words, without "Value error, " before them.
    own = (error.get("ctx") or {}).get("error") if error.get("type") in ("value_error", "assertion_error") else None
    _add(found, ".".join(map(str, parts)), str(own or error.get("msg") or error.get("message") or "Invalid"))


def error_id(name: str, form: str | None = None) -> str:
    """Return the id of the place where the error of a field stands."""
    full = f"{form}-{name}" if form else name
    return "rt-error-" + "".join(char if char.isascii() and (char.isalnum() or char in "-_") else f".{ord(char):x}" for char in full)  # fmt: skip


def names_of(header: str) -> list[str]:
    """Return the names of the fields that are asked about."""
    return [unquote(name) for name in header.split(",")[:MOST] if name]


def answer(
    state: RequestState, request: object, errors: Errors, *, title: Callable[[int], str], make: Make | None
) -> Any:
    """Return the answer to a check, or to a form that htmx sent and that is refused; None where there is none to give."""
    asked = state.header(HEADER)
    if asked is not None:
        chosen = {name: errors[name] for name in names_of(asked) if name in errors}
        headers = {protocol.VALIDATE: "1", "Content-Type": "application/json", "Cache-Control": "no-store"}
        return _response(request, json.dumps({"errors": chosen}), 200, headers, make)
    if not errors or state.header(b"hx-request") != "true":
        return None
    detail = " ".join(text for texts in errors.values() for text in texts)[:DETAIL]
    fields = sum(name != "" for name in errors)
    problem = {
        "type": "about:blank",
        "title": title(fields) if fields else detail,
        "status": 422,
        "detail": detail,
        "errors": errors,
    }
    headers = {protocol.PROBLEM: "validation", "Content-Type": "application/problem+json", "Cache-Control": "no-store"}
    return _response(request, json.dumps(problem), 422, headers, make)


def _response(request: object, body: str, status: int, headers: dict[str, str], make: Make | None) -> Any:
    if make is not None:
        return make(body, status=status, headers=headers)
    if isinstance(request, HTTPConnection):
        return Response(body, status_code=status, headers=headers)
    module = type(request).__module__.partition(".")[0]
    if module in _TUPLES:
        return body, status, headers
    raise ConfigurationError(
        f"rt.validation() does not know how {module} answers. Pass make=, which is called as make(body, status=…, "
        "headers=…), such as django.http.HttpResponse."
    )


class Unanswered:
    """Makes visible which routes do not know of checks: to them a check is the form itself, and they do what it is for."""

    def __init__(self, *, debug: bool, sign_in: str | None) -> None:
        self._debug = debug
        self._sign_in = (sign_in or "").partition("?")[0]
        self._told: set[str] = set()

    def look(self, state: RequestState, message: Message) -> None:
        """Look at how an answer begins. Raised with `debug` where a check was not answered: `ConfigurationError`."""
        scope = state.scope
        if scope["method"] != "POST" or state.header(HEADER) is None:
            return
        headers = {name.lower(): value for name, value in message.get("headers", ())}
        status = message["status"]
        if HEADER in headers:
            if not state.topics and not state.deferred:
                return
            what = "published something, or put it off, before it was answered"
        elif self._refused(status, headers.get(b"location", b"")):
            return
        else:
            what = (
                f"was answered with {status}, and not by rt.validation(): the route may have done what the form is for"
            )
        error = (
            f"A live check of {scope['path']!r} (a POST with {protocol.VALIDATE}) {what}. Let the route begin with: answer = "
            "rt.validation(request, errors), and return that where it is not None."
        )
        if self._debug:
            raise ConfigurationError(error)
        if scope["path"] not in self._told and len(self._told) < MOST:
            self._told.add(scope["path"])
            log.error(error)

    def _refused(self, status: int, location: bytes) -> bool:
        """Tell whether somebody has stopped it on its way, who asks for a sign-in or a token, or has failed."""
        if 300 <= status < 400:
            return bool(self._sign_in) and location.decode("latin-1").partition("?")[0].endswith(self._sign_in)
        return status in (400, 401, 403, 408, 413, 429) or status >= 500
