"""Feedback while an action is under way, and when it fails. Used by docs/howto/errors.md."""

import os
from dataclasses import dataclass
from typing import Annotated

from fastapi import FastAPI, Form, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates

from htmx_rt import Realtime, RealtimeMiddleware

rt = Realtime(secret=os.environ["RT_SECRET"])
templates = Jinja2Templates("templates")
rt.install(templates.env)
app = FastAPI()
app.mount("/static", StaticFiles(directory="static"), name="static")


@dataclass
class Invoice:
    id: int
    customer: str
    sent: bool = False


invoices = {7: Invoice(7, "Acme")}


@app.get("/")
async def index(request: Request):
    return templates.TemplateResponse(request, "invoice.html", {"invoice": invoices[7], "total": total("EUR")})


@app.get("/invoices/{id}/total")
async def converted(id: int, currency: str):
    return PlainTextResponse(total(currency))


def total(currency: str) -> str:
    return {"EUR": "120.00 €", "CHF": "112.80 Fr."}.get(currency, "unknown")


@app.post("/invoices/{id}")
async def rename(request: Request, id: int, customer: Annotated[str, Form()]):
    invoice = invoices[id]
    if not customer.strip():
        html = rt.render("invoice.html", block="form", invoice=invoice, error="Whose invoice is it?")
        return HTMLResponse(html, 422, {"RT-Problem": "validation"})
    invoice.customer = customer.strip()
    return answer(request, rt.render("invoice.html", block="form", invoice=invoice))


@app.post("/invoices/{id}/send")
@rt.irreversible("/invoices/{id}/send")
async def send(request: Request, id: int):
    invoice = invoices[id]
    if invoice.sent:
        return PlainTextResponse("This invoice has been sent already.", 409)
    invoice.sent = True  # and here a real app hands it to its mailer
    return answer(request, rt.render("invoice.html", block="state", invoice=invoice))


def answer(request: Request, html: str):
    return HTMLResponse(html) if rt.is_htmx(request) else RedirectResponse("/", 303)


app.add_middleware(RealtimeMiddleware, rt=rt)
