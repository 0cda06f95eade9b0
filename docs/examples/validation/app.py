"""A form whose fields are checked while somebody types. Used by docs/howto/validation.md."""

import os

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.templating import Jinja2Templates

from htmx_rt import Realtime, RealtimeMiddleware

rt = Realtime(secret=os.environ["RT_SECRET"], debug=True)
templates = Jinja2Templates("templates")
rt.install(templates.env)
app = FastAPI()
taken = {"ada@example.org"}


def problems(form) -> dict[str, str]:
    wrong = {}
    if not form.get("name", "").strip():
        wrong["name"] = "Tell us your name."
    if "@" not in form.get("email", ""):
        wrong["email"] = "This is no address, such as you@example.org."
    elif form["email"] in taken:
        wrong["email"] = "Somebody has signed up with this address."
    if form.get("again") != form.get("email"):
        wrong["again"] = "The two addresses differ."
    if form.get("plan") not in ("basic", "gold"):
        wrong["plan"] = "Choose a plan."
    return wrong


@app.get("/signup")
async def form(request: Request):
    return templates.TemplateResponse(request, "signup.html", {"values": {}, "errors": {}})


@app.post("/signup")
async def signup(request: Request):
    values = await request.form()
    errors = problems(values)
    answer = rt.validation(request, errors)
    if answer is not None:
        return answer
    if errors:  # sent without JavaScript
        return templates.TemplateResponse(request, "signup.html", {"values": values, "errors": errors}, status_code=422)
    taken.add(str(values["email"]))
    if rt.is_htmx(request):
        return HTMLResponse("<p id='form'>Welcome.</p>")
    return RedirectResponse("/welcome", 303)


@app.get("/welcome")
async def welcome():
    return HTMLResponse("Welcome.")


app.add_middleware(RealtimeMiddleware, rt=rt)
