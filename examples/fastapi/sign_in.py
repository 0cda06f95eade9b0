"""Signing in and out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.templating import Jinja2Templates
from people import PEOPLE, Person, somebody

from htmx_rt import Realtime


async def signed_in(request: Request) -> Person:
    return somebody(request)


Me = Annotated[Person, Depends(signed_in)]


def routes(rt: Realtime, templates: Jinja2Templates) -> APIRouter:
    router = APIRouter()

    @router.get("/sign-in")
    async def choose(request: Request) -> Response:
        return templates.TemplateResponse(request, "sign_in.html")

    @router.post("/sign-in")
    async def sign_in(request: Request, person: Annotated[str, Form()] = "") -> Response:
        if person not in PEOPLE:
            return templates.TemplateResponse(request, "sign_in.html", {"refused": True}, status_code=422)
        request.session["person"] = person
        return RedirectResponse("/", 303)

    @router.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        request.session.clear()
        rt.sign_out()  # ends the streams of this browser's other tabs
        return RedirectResponse("/sign-in", 303)

    return router
