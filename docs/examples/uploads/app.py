"""A claim with photographs. Used by docs/howto/uploads.md."""

import os
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.templating import Jinja2Templates

from htmx_rt import Realtime, RealtimeMiddleware
from htmx_rt.exceptions import BadUpload

rt = Realtime(
    secret=os.environ["RT_SECRET"],
    identify=lambda request: request.cookies.get("who"),
    uploads=os.environ.get("RT_UPLOADS", "uploads"),  # a folder that all workers share
)
templates = Jinja2Templates("templates")
rt.install(templates.env)
app = FastAPI()
pictures = Path(os.environ.get("PICTURES", "pictures"))  # outside of what is served as it is
pictures.mkdir(exist_ok=True)
claims: list[tuple[str, list[tuple[str, str]]]] = []


def page(request: Request, error: str = "", status: int = 200):
    name = "form.html" if rt.is_htmx(request) else "claim.html"
    headers = {"RT-Problem": "validation"} if error else {}  # a refusal that is to be shown in place
    return templates.TemplateResponse(request, name, {"claims": claims, "error": error}, status, headers)


@app.get("/")
async def show(request: Request):
    return page(request)


@app.post("/claims")
async def claim(request: Request):
    async with request.form() as form:
        text = str(form.get("text", "")).strip()
        if not text:  # first whatever else may be wrong: files that were taken are gone with the request
            return page(request, "Please say what happened.", 422)
        try:
            files = await rt.uploads.consume(form, "photos")
        except BadUpload as error:
            return page(request, str(error), error.status)
        kept = [(file.name, (await file.save(pictures)).name) for file in files]
    claims.append((text, kept))
    return page(request) if rt.is_htmx(request) else RedirectResponse("/", 303)


@app.get("/avatar")
async def avatar(request: Request):
    return templates.TemplateResponse(request, "avatar.html")


@app.post("/avatar")
async def new_avatar(request: Request):
    async with request.form() as form:
        files = await rt.uploads.consume(form, "avatar", accept="image/png,image/jpeg", max_size="2 MB")
    return HTMLResponse(f"{len(files)} picture of {sum(file.size for file in files)} bytes")


app.add_middleware(RealtimeMiddleware, rt=rt)
