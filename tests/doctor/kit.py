"""A site, what stands between it and its visitors, and what the doctor says of it."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from htmx_rt.__main__ import main
from htmx_rt.types import ASGIApp, Message, Receive, Scope, Send


@dataclass
class Between:
    """Does to requests and answers what proxies do."""

    app: ASGIApp
    buffers: bool = False  # an answer leaves when it is whole
    packs: bool = False
    cuts: float | None = None  # seconds after which a stream ends without a word
    delays: float = 0.0  # seconds until each answer begins
    hides: tuple[str, ...] = ()  # paths that are answered by somebody else
    answers: tuple[int, str, bytes] = (404, "text/html", b"<h1>Nobody here</h1>")
    strips: bool = False  # cookies from answers
    scope: Mapping[str, Any] = field(default_factory=dict)  # what the app believes
    sends: Mapping[str, str] = field(default_factory=dict)  # headers of each request, in place of its own
    adds: Mapping[str, str] = field(default_factory=dict)  # headers of each answer, in place of its own
    sockets: bool = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] == "websocket" and not self.sockets:
            await receive()
            await send({"type": "websocket.close", "code": 1000})
            return
        if any(scope["path"].startswith(path) for path in self.hides):
            status, kind, body = self.answers
            await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind.encode())]})
            await send({"type": "http.response.body", "body": body})
            return
        names = {name.encode() for name in self.sends}
        headers = [pair for pair in scope["headers"] if pair[0] not in names]
        headers += [(name.encode(), value.encode()) for name, value in self.sends.items() if value]
        scope = {**scope, **self.scope, "headers": headers}
        if scope["type"] == "websocket":
            await self.app(scope, receive, send)
            return
        if self.delays:
            await asyncio.sleep(self.delays)
        cut = self.cuts if scope["method"] == "POST" else None
        async with asyncio.timeout(cut):
            await self.app(
                scope,
                receive,
                self._sending(send, self.packs and b"gzip" in dict(headers).get(b"accept-encoding", b"")),
            )

    def _sending(self, send: Send, packs: bool) -> Send:
        held: list[Message] = []
        packer = zlib.compressobj(wbits=31)
        names = {name.encode() for name in self.adds} | ({b"set-cookie"} if self.strips else set())

        async def between(message: Message) -> None:
            last = message["type"] == "http.response.body" and not message.get("more_body", False)
            if message["type"] == "http.response.start":
                headers = [pair for pair in message["headers"] if pair[0].lower() not in names]
                headers += [(name.encode(), value.encode()) for name, value in self.adds.items()]
                if packs:
                    headers = [pair for pair in headers if pair[0].lower() != b"content-length"]
                    headers.append((b"content-encoding", b"gzip"))
                message = {**message, "headers": headers}
            elif packs:
                body = packer.compress(message.get("body", b"")) + packer.flush(
                    zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH
                )
                message = {**message, "body": body}
            held.append(message)
            if last or not self.buffers:
                for one in held:
                    await send(one)
                held.clear()

        return between


@dataclass
class Said:
    """What the doctor said."""

    code: int
    findings: dict[str, list[dict[str, str]]]
    text: str

    def level(self, about: str) -> str:
        """Return how bad the first finding about something is."""
        return self.findings[about][0]["level"]

    def cure(self, about: str) -> str:
        """Return the cure of the first finding about something."""
        return self.findings[about][0]["cure"]

    def bad(self) -> dict[str, str]:
        """Return what is neither well nor unknown."""
        return {
            about: found["level"]
            for about, some in self.findings.items()
            for found in some
            if found["level"] in ("warning", "problem")
        }


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> Said:
    """Ask the doctor."""
    code = main(["doctor", *arguments, "--json"])
    text = capsys.readouterr().out
    findings: dict[str, list[dict[str, str]]] = {}
    for finding in json.loads(text)["findings"]:
        findings.setdefault(finding["about"], []).append(finding)
    assert json.loads(text)["code"] == code
    return Said(code, findings, text)
