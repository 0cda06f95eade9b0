"""State in the address, places kept. Used by docs/howto/place.md and docs/howto/deploy.md."""

import os

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse
from fastapi.templating import Jinja2Templates

from htmx_rt import Realtime, RealtimeMiddleware

PARTS = {"Brake pad": "stock", "Chain": "stock", "Inner tube": "ordered", "Saddle": "stock", "Spoke": "ordered"}
A_PAGE = 2

rt = Realtime(
    secret=os.environ["RT_SECRET"],
    build=os.environ.get("BUILD", "2026-05-02"),
    sign_in="/sign-in?next={path}",
    identify=lambda request: request.cookies.get("who"),
)
templates = Jinja2Templates("templates")
rt.install(templates.env)
app = FastAPI()


@app.get("/")
async def parts(request: Request, q: str = "", status: str = "all", page: int = 1):
    found = [name for name, where in PARTS.items() if q.lower() in name.lower() and status in ("all", where)]
    context = {
        "parts": found[(page - 1) * A_PAGE : page * A_PAGE],
        "more": page * A_PAGE < len(found),
        "q": q,
        "status": status,
        "page": page,
    }
    name = "list.html" if rt.is_htmx(request) else "page.html"
    return templates.TemplateResponse(request, name, context)


@app.get("/sign-in")
async def sign_in(next: str = "/"):
    answer = RedirectResponse(next if next.startswith("/") and not next.startswith("//") else "/", 303)
    answer.set_cookie("who", "ada")
    return answer


@app.post("/sign-out")
async def sign_out():
    rt.sign_out()
    answer = RedirectResponse("/", 303)
    answer.delete_cookie("who")
    return answer


app.add_middleware(RealtimeMiddleware, rt=rt)
