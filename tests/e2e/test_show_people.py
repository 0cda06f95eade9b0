"""Who is asking: signing out, signing in as somebody else, and pages that do not care."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from .boardserver import Board
from .conftest import Htmx
from .lab import LAYOUT, Lab
from .people import Person, recorded, states, until

Arrive = Callable[..., Person]


def test_signing_out_in_one_tab_ends_the_others_streams(board: Board, person: Arrive, htmx: Htmx) -> None:
    ada = person(board.address, htmx, expected=(401,)).sign_in("ada")
    grace = person(board.address, htmx).sign_in("grace").open()
    tab, other = ada.open(), ada.open()
    other.locator("#title").fill("Half a thought")
    began = time.time()
    tab.get_by_role("button", name="Sign out").click()
    until(other, "refused")
    ended = next(entry["at"] / 1000 for entry in recorded(other, "states") if entry["state"] == "refused")
    assert ended - began < 2.0
    bar = other.locator("#rt-banner")
    expect(bar).to_contain_text("You are signed out.")
    expect(bar.get_by_role("button")).to_have_text(["Sign in and continue", "Reload"])
    expect(other.locator("#title")).to_have_value("Half a thought")
    expect(grace.locator("html")).to_have_attribute("data-rt", "connected")
    # Signing in again as the same person, in any tab, is enough.
    tab.get_by_role("button", name="Ada Okafor").click()
    until(other, "connected")
    expect(other.locator("#title")).to_have_value("Half a thought")


def test_signing_in_as_somebody_else_keeps_the_text(board: Board, person: Arrive, htmx: Htmx) -> None:
    ada = person(board.address, htmx, expected=(401, 403)).sign_in("ada")
    tab = ada.open()
    born = recorded(tab, "started")
    tab.locator("#title").fill("Half a thought")
    ada.sign_in("grace").open()
    bar = tab.locator("#rt-banner")
    expect(bar).to_contain_text("Signed in as somebody else.")
    expect(bar.get_by_role("button")).to_have_text(["Reload"])
    expect(tab.locator("#title")).to_have_value("Half a thought")
    expect(tab.locator("#title")).to_be_focused()
    assert recorded(tab, "started") == born
    bar.get_by_role("button", name="Reload").click()
    until(tab, "connected")
    expect(tab.locator(".me")).to_contain_text("Grace")


@pytest.mark.parametrize("macros", [True, False], ids=["with macros", "plain"])
def test_a_page_that_asks_nobody_signs_nobody_out(
    lab: Callable[..., tuple[Lab, str]], person: Arrive, htmx: Htmx, macros: bool
) -> None:
    app, address = lab(identify=None)

    async def private(request: Request) -> Response:
        app.rt.set_user("ada")
        return HTMLResponse(app.fill(LAYOUT % "Private", title="Private", htmx=htmx.major))

    async def public(request: Request) -> Response:
        return HTMLResponse(app.fill(LAYOUT % "Public", title="Public", htmx=htmx.major) if macros else "<p>Public")

    app.get("/private", private)
    app.get("/public", public)
    ada = person(address, htmx)
    mine = ada.open("/private")
    ada.open("/public", state="connected" if macros else None)
    app.rt.user("ada").toast("Still you", others_only=False).result(5)
    expect(mine.locator(".rt-toast")).to_contain_text("Still you")
    mine.reload()
    until(mine, "connected")
    app.rt.user("ada").toast("And after that", others_only=False).result(5)
    expect(mine.locator(".rt-toast")).to_contain_text("And after that")
    assert states(mine) == ["connecting", "connected"]
