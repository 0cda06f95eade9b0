"""A browser without a browser, for tests: requests and open streams straight into an ASGI app.

    async with running(app), Browser(app) as ada:
        board = await ada.get("/")
        async with ada.stream(board) as stream:
            await ada.post("/tasks", {"title": "Call the printer"}, page=board)
            row = await stream.fragment("li:-soup-contains('Call the printer')")

Needs `pip install htmx-rt[testing]`. HTTP transports for tests wait for the end of a response, and a stream has none;
this driver does not. It follows no redirects and runs no scripts: it is for what goes over the wire.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from bs4 import BeautifulSoup, Tag

from . import protocol
from .types import ASGIApp, Message

TIMEOUT = 5.0  # seconds that anything awaited here may take


class Event(NamedTuple):
    """One event of a stream; `id` is None where it left the cursor alone, as replayed ones do."""

    name: str
    data: Any
    id: str | None


@dataclass(slots=True)
class Page:
    """A response, read as a page."""

    status: int
    headers: list[tuple[str, str]]
    text: str
    path: str
    tab: str = field(default_factory=lambda: secrets.token_hex(16))

    def header(self, name: str) -> str | None:
        """Return the first header `name`, or None."""
        return next((value for key, value in self.headers if key == name.lower()), None)

    def select(self, css: str) -> list[Tag]:
        """Return the elements that match `css`."""
        return list(BeautifulSoup(self.text, "html.parser").select(css))

    @property
    def grants(self) -> dict[str, str]:
        """The grants that macros wrote into this page, by topic; of several, the one that shows its reader to others."""
        found: dict[str, str] = {}
        for element in sorted(self.select("[rt-grant]"), key=lambda element: element.has_attr("rt-here")):
            found |= zip(str(element["rt-stream"]).split(), str(element["rt-grant"]).split(), strict=True)
        return found


class Parser:
    """Reads server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) from any cut of bytes."""

    def __init__(self) -> None:
        self.cursor: str | None = None
        self._rest = b""

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events that `chunk` completes."""
        *blocks, self._rest = (self._rest + chunk).split(b"\n\n")
        return [event for block in blocks if (event := self._read(block.decode())) is not None]

    def _read(self, block: str) -> Event | None:
        name, data, identity = "message", [], None
        for line in block.split("\n"):
            key, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if key == "event":
                name = value
            elif key == "data":
                data.append(value)
            elif key == "id":
                self.cursor = identity = value
        return Event(name, json.loads("\n".join(data)), identity) if data else None


class Response:
    """A running response: its status and headers, and its body as it comes."""

    def __init__(self, app: ASGIApp, scope: dict[str, Any], body: bytes) -> None:
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._body: bytes | None = body
        self._task = asyncio.create_task(self._run(app, scope))

    async def start(self) -> None:
        """Wait for status and headers."""
        message = await self._message()
        if message["type"] == "end":
            await self._task  # raises what the app raised
        assert message["type"] == "http.response.start", message
        self.status = message["status"]
        self.headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in message["headers"]]

    async def chunk(self) -> bytes | None:
        """Return the next bytes of the body; None at its end."""
        message = await self._message()
        if message["type"] == "end":
            return None
        return bytes(message.get("body", b""))

    async def rest(self) -> bytes:
        """Return the body to its end."""
        body = b""
        while (chunk := await self.chunk()) is not None:
            body += chunk
        return body

    async def close(self) -> None:
        """Leave, as a browser does whose tab is closed, and wait until the app has noticed."""
        self._gone.set()
        async with asyncio.timeout(TIMEOUT):
            await asyncio.wait([self._task])
        if not self._task.cancelled() and (error := self._task.exception()) is not None:
            raise error

    async def _message(self) -> Message:
        async with asyncio.timeout(TIMEOUT):
            return await self._messages.get()

    async def _run(self, app: ASGIApp, scope: dict[str, Any]) -> None:
        async def receive() -> Message:
            if self._body is not None:
                body, self._body = self._body, None
                return {"type": "http.request", "body": body, "more_body": False}
            await self._gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if self._gone.is_set():
                return
            self._messages.put_nowait(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                self._messages.put_nowait({"type": "end"})

        try:
            await app(scope, receive, send)
        finally:
            self._messages.put_nowait({"type": "end"})


class Stream:
    """An open stream, as the extension would hold it."""

    def __init__(self, response: Response) -> None:
        self.response = response
        self.hello: dict[str, Any] = {}
        self._parser = Parser()
        self._events: list[Event] = []

    @property
    def cursor(self) -> str | None:
        """Where the stream stands; None before the first checkpoint."""
        return self._parser.cursor

    async def event(self, name: str | None = None) -> Event:
        """Return the next event, or the next one called `name`; those before it are skipped."""
        async with asyncio.timeout(TIMEOUT):  # beats go on for ever, so each chunk's own limit is not enough
            while True:
                while self._events:
                    event = self._events.pop(0)
                    if name is None or event.name == name:
                        return event
                await self._more(name or "an event")

    async def fragment(self, css: str) -> Tag:
        """Return the first element matching `css` in the operations to come."""
        async with asyncio.timeout(TIMEOUT):
            while True:
                event = await self.event(protocol.OPS)
                for operation in event.data["ops"]:
                    if len(operation) == 3 and operation[0] != "text":
                        found = BeautifulSoup(operation[2], "html.parser").select_one(css)
                        if found is not None:
                            return found

    async def checkpoint(self) -> str:
        """Return the cursor once there is one: the replay is over then."""
        while self.cursor is None:
            await self._more("the end of the replay")
        return self.cursor

    async def ended(self) -> list[Event]:
        """Wait until the server ends the stream; return what came before."""
        async with asyncio.timeout(TIMEOUT):
            while (chunk := await self.response.chunk()) is not None:
                self._events += self._parser.feed(chunk)
        events, self._events = self._events, []
        return events

    async def close(self) -> None:
        """Leave."""
        await self.response.close()

    async def _more(self, wanted: str) -> None:
        chunk = await self.response.chunk()
        if chunk is None:
            raise EOFError(f"The stream ended while waiting for {wanted}.")
        self._events += self._parser.feed(chunk)

    async def __aenter__(self) -> Stream:
        self.hello = (await self.event(protocol.HELLO)).data
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class Refusal(AssertionError):
    """Raised if a stream was refused; `status`, `problem` and `page` say how."""

    def __init__(self, page: Page) -> None:
        super().__init__(f"The stream was refused: {page.status} {page.header(protocol.PROBLEM)} {page.text}")
        self.page = page
        self.status = page.status
        self.problem = page.header(protocol.PROBLEM)


class Browser:
    """One person's browser: a cookie jar, and requests into `app`."""

    def __init__(
        self, app: ASGIApp, *, host: str = "testserver", scheme: str = "http", prefix: str = protocol.PREFIX
    ) -> None:
        self.app = app
        self.cookies: dict[str, str] = {}
        self.host = host
        self.scheme = scheme
        self.prefix = prefix
        self._open: list[Stream] = []

    async def __aenter__(self) -> Browser:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stream in self._open:
            await stream.close()

    async def get(self, path: str, *, page: Page | None = None, headers: Mapping[str, str] | None = None) -> Page:
        """Fetch `path`; as htmx would from within `page`, where one is given."""
        return await self.request("GET", path, page=page, headers=headers)

    async def post(
        self,
        path: str,
        form: Mapping[str, Any] | None = None,
        *,
        page: Page | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Page:
        """Send `form` to `path`; as htmx would from within `page`, where one is given."""
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return await self.request(
            "POST", path, urlencode(form or {}).encode(), page=page, headers=kind | dict(headers or {})
        )

    async def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        page: Page | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Page:
        """Make any request and read the whole response."""
        own: dict[str, str] = {}
        if page is not None:
            own = {
                "hx-request": "true",
                "hx-current-url": f"{self.scheme}://{self.host}{page.path}",
                "rt-tab": page.tab,
            }
            if method not in ("GET", "HEAD"):
                own["idempotency-key"] = secrets.token_hex(16)
        response = await self._send(method, path, body, own | dict(headers or {}))
        text = await response.rest()
        await response.close()
        return Page(response.status, response.headers, text.decode(), path)

    def stream(self, page: Page, *, cursor: str | None = None, grants: Mapping[str, str] | None = None) -> Connecting:
        """Open a stream for the grants of `page`, or resume one from `cursor`; use it with `async with`."""
        tokens = list((page.grants if grants is None else grants).values())
        key = "fresh" if cursor is None else "grants"
        tab = {"id": page.tab, "gen": 1, "vis": True, key: tokens}
        return self.open({"v": protocol.VERSION, "cursor": cursor, "tabs": [tab]})

    def open(self, body: object, *, headers: Mapping[str, str] | None = None) -> Connecting:
        """Open a stream with any body."""
        return Connecting(self, json.dumps(body).encode(), dict(headers or {}))

    async def _send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Response:
        parts = urlsplit(path)
        sent = {"host": self.host, "content-length": str(len(body)), "sec-fetch-site": "same-origin"} | headers
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
            "method": method, "scheme": self.scheme, "path": parts.path, "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(), "root_path": "",
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()],
            "client": ("testclient", 50000), "server": (self.host, 80), "extensions": {}, "state": {},
        }  # fmt: skip
        response = Response(self.app, scope, body)
        await response.start()
        for name, value in response.headers:
            if name == "set-cookie":
                self._keep(value)
        return response

    def _keep(self, header: str) -> None:
        for name, morsel in SimpleCookie(header).items():
            if morsel["max-age"] == "0" or not morsel.value:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.value


class Connecting:
    """A stream about to be opened: `async with` gives the `Stream`, or raises `Refusal`."""

    def __init__(self, browser: Browser, body: bytes, headers: dict[str, str]) -> None:
        self._browser = browser
        self._body = body
        self._headers = headers
        self._stream: Stream | None = None

    async def __aenter__(self) -> Stream:
        kind = {"content-type": "application/json", "accept": "text/event-stream"}
        path = self._browser.prefix + "/stream"
        response = await self._browser._send("POST", path, self._body, kind | self._headers)
        if response.status != 200:
            text = await response.rest()
            await response.close()
            raise Refusal(Page(response.status, response.headers, text.decode(), path))
        self._stream = await Stream(response).__aenter__()
        self._browser._open.append(self._stream)
        return self._stream

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._browser._open.remove(self._stream)
            await self._stream.close()


@contextlib.asynccontextmanager
async def running(app: ASGIApp) -> AsyncIterator[None]:
    """Run the lifespan of `app` around a test. Raised if it fails to start: `RuntimeError`."""
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    outbox: asyncio.Queue[Message] = asyncio.Queue()

    async def send(message: Message) -> None:
        outbox.put_nowait(message)

    task = asyncio.create_task(
        _call(app, {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, inbox.get, send)
    )
    task.add_done_callback(lambda _: outbox.put_nowait({"type": "ended"}))

    async def step(kind: str) -> None:
        inbox.put_nowait({"type": f"lifespan.{kind}"})
        async with asyncio.timeout(TIMEOUT):
            answer = await outbox.get()
        if answer["type"] == "ended":
            await task  # raises what the app raised
        elif answer["type"] != f"lifespan.{kind}.complete":
            raise RuntimeError(f"The app did not {kind}: {answer.get('message', answer['type'])}")

    try:
        await step("startup")
        try:
            yield
        finally:
            await step("shutdown")
        await task
    finally:
        task.cancel()  # of one that failed; what it raised is told by the step that failed
        await asyncio.gather(task, return_exceptions=True)


async def _call(app: ASGIApp, scope: dict[str, Any], receive: Any, send: Any) -> None:
    await app(scope, receive, send)
