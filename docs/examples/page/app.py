"""One page with the banner, toasts, a theme and a strict policy. Used by several how-tos."""

import os
import secrets

from fastapi import FastAPI, Request
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates

from htmx_rt import Realtime, RealtimeMiddleware

rt = Realtime(secret=os.environ["RT_SECRET"].split(), build="2026-05-02")
templates = Jinja2Templates("templates")
rt.install(templates.env)
app = FastAPI()
app.mount("/static", StaticFiles(directory="static"), name="static")


@app.get("/")
async def index(request: Request):
    nonce = secrets.token_urlsafe(16)
    response = templates.TemplateResponse(request, "page.html", {"nonce": nonce})
    response.headers["Content-Security-Policy"] = (
        f"default-src 'self'; script-src 'nonce-{nonce}'; object-src 'none'; base-uri 'none'"
    )
    return response


app.add_middleware(RealtimeMiddleware, rt=rt)
