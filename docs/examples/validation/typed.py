"""The same with types that FastAPI checks by itself. Used by docs/howto/validation.md."""

import os
from typing import Annotated

from fastapi import FastAPI, Form, Request
from fastapi.exception_handlers import request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from pydantic import BaseModel, field_validator

from htmx_rt import Realtime, RealtimeMiddleware

rt = Realtime(secret=os.environ["RT_SECRET"], debug=True)
rt.install(Jinja2Templates("templates").env)
app = FastAPI()


class Signup(BaseModel):
    name: str
    seats: int

    @field_validator("seats")
    @classmethod
    def are_there(cls, seats: int) -> int:
        if seats > 8:
            raise ValueError("The van has eight seats.")
        return seats


@app.exception_handler(RequestValidationError)
async def refuse(request: Request, error: RequestValidationError):
    answer = rt.validation(request, rt.errors(error))
    return answer if answer is not None else await request_validation_exception_handler(request, error)


@app.post("/seats")
async def seats(request: Request, signup: Annotated[Signup, Form()]):
    answer = rt.validation(request)
    if answer is not None:
        return answer
    return HTMLResponse(f"{signup.seats} seats for {signup.name}")


app.add_middleware(RealtimeMiddleware, rt=rt)
