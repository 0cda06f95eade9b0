"""A page for everybody, signed in or not: who is here, and how many."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from fastapi.templating import Jinja2Templates


def routes(templates: Jinja2Templates) -> APIRouter:
    router = APIRouter()

    @router.get("/lobby")
    async def lobby(request: Request) -> Response:
        return templates.TemplateResponse(request, "lobby.html", {"topic": "lobby"})

    return router
