"""A long form that loses nothing, and a short one. Used by docs/howto/drafts.md."""

import os
from typing import Annotated

from fastapi import FastAPI, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.templating import Jinja2Templates

from htmx_rt import Realtime, RealtimeMiddleware

rt = Realtime(
    secret=os.environ["RT_SECRET"],
    store=os.environ.get("RT_STORE", "sqlite:///rt.db"),  # drafts outlive a restart
    draft_keys=os.environ.get("RT_DRAFT_KEYS", "").split() or None,  # Fernet keys, the newest first
    identify=lambda request: request.cookies.get("who"),
)
templates = Jinja2Templates("templates")
rt.install(templates.env)
app = FastAPI()
applications: list[dict[str, str]] = []


@app.get("/apply")
async def form(request: Request):
    draft = await rt.drafts.get("application")
    return templates.TemplateResponse(request, "apply.html", {"draft": draft})


@app.post("/apply")
async def apply(
    name: Annotated[str, Form()], reason: Annotated[str, Form()], days: Annotated[list[str] | None, Form()] = None
):
    if not name.strip():
        return HTMLResponse("Please say who you are.", 422)
    applications.append({"name": name, "reason": reason, "days": ", ".join(days or ())})
    await rt.drafts.done("application")
    return RedirectResponse("/thanks", 303)


@app.get("/thanks")
async def thanks(request: Request):
    return templates.TemplateResponse(request, "thanks.html", {"count": len(applications)})


@app.get("/drafts")
async def drafts(request: Request):
    return templates.TemplateResponse(request, "drafts.html", {"drafts": await rt.drafts.all()})


@app.get("/parcel")
async def parcel(request: Request):
    return templates.TemplateResponse(request, "parcel.html", {"country": "", "note": ""})


@app.post("/parcel/rebuild")
async def rebuild(request: Request, country: Annotated[str, Form()] = "", note: Annotated[str, Form()] = ""):
    return templates.TemplateResponse(request, "parcel_form.html", {"country": country, "note": note})


app.add_middleware(RealtimeMiddleware, rt=rt)
