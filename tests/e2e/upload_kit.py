"""A form with files, what a test chooses, and a line that it holds up."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from htmx_rt.exceptions import BadUpload

from .conftest import Htmx
from .lab import Lab


def png() -> bytes:
    """A picture of one grey pixel."""
    parts = {b"IHDR": struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0), b"IDAT": zlib.compress(b"\0\x80"), b"IEND": b""}
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts.items()
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


KB = 1024
FORM = """<form id="post" {how}><label>Text <input name="text"></label>{{{{ rt.file_input("files"{options}) }}}}
<button id="send">Send</button><button type="reset">Clear</button></form><div id="out"></div>"""
HTMX = 'hx-post="/send" hx-target="#out"'
PLAIN = 'method="post" action="/send" enctype="multipart/form-data"'


class Post:
    """A form with files, and what its handler got."""

    def __init__(self, lab: Lab, address: str) -> None:
        self.lab = lab
        self.address = address
        self.got: list[tuple[str, str, int]] = []
        self.contents: list[bytes] = []
        self.texts: list[object] = []
        self.types: list[str] = []
        self.refuse = 0  # of the next forms, after their files were taken
        lab.post("/send", self.send)

    async def send(self, request: Request) -> Response:
        self.types.append(request.headers["content-type"].partition(";")[0])
        async with request.form() as form:
            self.texts.append(form.get("text"))
            assert not form.getlist("files") or not self.types[-1].endswith("urlencoded")
            try:
                files = await self.lab.rt.uploads.consume(form, "files")
            except BadUpload as error:
                return HTMLResponse(f"Refused: {error}", error.status)
            if self.refuse:
                self.refuse -= 1
                return HTMLResponse("Say more.", 422)
            for one in files:
                self.got.append((one.name, one.type, one.size))
                self.contents.append(one.path.read_bytes())
        return HTMLResponse(f"<p>Got {', '.join(name for name, *_ in self.got)}</p>")

    def open(self, page: Page, options: str = "", how: str = HTMX, path: str = "/form") -> None:
        self.lab.page(path, FORM.format(how=how, options=options))
        page.goto(self.address + path)
        expect(page.locator(".rt-upload-live")).to_be_visible()


@pytest.fixture
def post(htmx: Htmx, live: Callable[..., str], tmp_path: Path) -> Post:
    lab = Lab(htmx=htmx.major, uploads=tmp_path / "uploads", limits={"upload_chunk": 64 * KB, "upload_reserve": 1})
    return Post(lab, live(lab.app))


@pytest.fixture(autouse=True)
def told(open_page: Callable[..., Page], errors: list[str]) -> Iterator[None]:
    """The browser writes every failed request into the console, and here they are meant."""
    yield
    errors[:] = [error for error in errors if not re.match("Failed to load|Response Status|htmx:", error)]


def chosen(name: str = "a.txt", size: int = 10, kind: str = "text/plain", body: bytes | None = None) -> dict[str, Any]:
    return {"name": name, "mimeType": kind, "buffer": body if body is not None else b"x" * size}


def choose(page: Page, *files: dict[str, Any]) -> None:
    page.locator("input[rt-upload]").set_input_files(list(files))


def item(page: Page, name: str) -> Any:
    return page.locator(".rt-upload-file", has_text=name)


class Slow:
    """A line on which pieces wait until the test lets them through."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.waiting: list[Route] = []
        self.holding = True
        page.route(re.compile(re.escape(address) + "/_rt/uploads/.*"), self._handle)

    def _handle(self, route: Route) -> None:
        if self.holding and route.request.method == "PATCH":
            self.waiting.append(route)
        else:
            route.continue_()

    def arrive(self, count: int = 1) -> None:
        """Wait until so many pieces are on their way."""
        for _ in range(500):
            if len(self.waiting) >= count:
                return
            self.page.wait_for_timeout(20)
        raise AssertionError("no piece came")

    def one(self) -> None:
        self.arrive()
        self.waiting.pop(0).continue_()

    def open(self) -> None:
        self.holding = False
        while self.waiting:
            self.waiting.pop(0).continue_()
