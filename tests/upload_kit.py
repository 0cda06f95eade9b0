"""A site with a form of files, and what its page does with the kit's own addresses."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from htmx_rt.exceptions import BadUpload
from htmx_rt.request_state import RequestState
from htmx_rt.testing import Browser, Page

from .kit import Site

FORM = """<!doctype html><html><head>{{ rt.head() }}</head><body><form method="post" action="/send" enctype="multipart/form-data">
{{ rt.file_input("files", **options) }}</form></body></html>"""
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
KIND = "application/offset+octet-stream"


class Post(Site):
    """`/form` is a page with a field for files, `/send` takes them."""

    def __init__(self, folder: Path, *, field: dict[str, Any] | None = None, **options: Any) -> None:
        routes = [Route("/form", self.form), Route("/send", self.send, methods=["POST"])]
        limits = {"calls_burst": 10_000.0, "upload_reserve": 1} | (options.pop("limits", None) or {})
        super().__init__(routes=routes, templates={"form.html": FORM}, uploads=folder, limits=limits, **options)
        self.folder = folder
        self.field = field or {}
        self.terms: dict[str, Any] = {}
        self.kept: list[tuple[str, str, int, bytes]] = []  # name, type, size, contents
        self.paths: list[Path] = []
        self.to: Path | None = None
        self.dropped: list[Path] = []
        clear = self.rt.uploads.clear

        def cleared(state: RequestState) -> None:
            self.dropped += state.uploads or ()
            clear(state)

        self.rt.uploads.clear = cleared  # type: ignore[method-assign]
        self.saving: dict[str, bool] = {}

    async def form(self, request: Request) -> Response:
        return self.html("form.html", options=self.field)

    async def send(self, request: Request) -> Response:
        async with request.form() as form:
            try:
                files = await self.rt.uploads.consume(form, "files", **self.terms)
            except BadUpload as error:
                return PlainTextResponse(f"{error.problem}|{error}", error.status)
            for one in files:
                self.kept.append((one.name, one.type, one.size, one.path.read_bytes()))
                self.paths.append(await one.save(self.to, **self.saving) if self.to else one.path)
        return JSONResponse([one.name for one in files])

    def on_disk(self) -> list[str]:
        """Every file there is, but locks, once what requests have not saved is gone: in a thread, nobody waits for it."""
        ends = time.monotonic() + 10
        while any(path.exists() for path in self.dropped) and time.monotonic() < ends:
            time.sleep(0.005)
        return sorted(
            str(path.relative_to(self.folder))
            for path in self.folder.rglob("*")
            if path.is_file() and path.name != ".lock"
        )


class Sender:
    """The page of somebody who sends files."""

    def __init__(self, browser: Browser, page: Page) -> None:
        self.browser = browser
        found = re.search(r'name="rt-upload\.files" value="([^"]+)"', page.text)
        assert found is not None
        self.policy = found[1]

    async def call(self, method: str, path: str, body: bytes = b"", **headers: str) -> Page:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.browser.request(method, path, body, headers=given)

    async def announce(self, name: str = "a.bin", size: int = 10, type: str = "", **more: Any) -> Page:
        body = {"policy": self.policy, "name": name, "size": size, "type": type} | more
        return await self.call("POST", "/_rt/uploads", json.dumps(body).encode(), content_type="application/json")

    async def patch(self, id: str, offset: int | str, body: bytes, **headers: str) -> Page:
        own = {"content_type": KIND, "upload_offset": str(offset), "content_length": str(len(body))}
        return await self.call("PATCH", f"/_rt/uploads/{id}", body, **(own | headers))

    async def offset(self, id: str) -> int | None:
        answer = await self.call("HEAD", f"/_rt/uploads/{id}")
        return int(answer.header("upload-offset") or -1) if answer.status == 200 else None

    async def whole(self, name: str, body: bytes, type: str = "") -> str:
        """Send a file, all of it, and return its handle."""
        answer = await self.announce(name, len(body), type)
        assert answer.status == 201, answer.text
        said = json.loads(answer.text)
        if body:
            sent = await self.patch(said["id"], 0, body)
            assert sent.status == 204, sent.text
        return str(said["handle"])

    async def submit(self, *handles: str, policy: str | None = None, **fields: str) -> Page:
        """Send the form as the extension leaves it."""
        pairs = [
            ("rt-upload.files", self.policy if policy is None else policy),
            *(("rt-upload.files", one) for one in handles),
        ]
        body, kind = multipart([*pairs, *fields.items()])
        return await self.call("POST", "/send", body, content_type=kind)

    async def send(self, *files: tuple[str, bytes, str], policy: str | None = None) -> Page:
        """Send the form as a browser without scripts does."""
        body, kind = multipart([("rt-upload.files", self.policy if policy is None else policy)], files)
        return await self.call("POST", "/send", body, content_type=kind)


async def opened(post: Post, browser: Browser | None = None, who: str = "ada") -> Sender:
    """Open the form."""
    browser = browser or post.browser(who=who)
    return Sender(browser, await browser.get("/form"))


def multipart(pairs: Any, files: Any = ()) -> tuple[bytes, str]:
    """Return a body and its type."""
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode() for name, value in pairs]
    for name, contents, kind in files:
        head = f'Content-Disposition: form-data; name="files"; filename="{name}"\r\nContent-Type: {kind}\r\n\r\n'
        parts.append(head.encode() + contents)
    body = b"".join(b"--edge\r\n" + part + b"\r\n" for part in parts) + b"--edge--\r\n"
    return body, "multipart/form-data; boundary=edge"
