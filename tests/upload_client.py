"""Sends files over real sockets, as the extension does, without a browser."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlencode, urlsplit

ERRORS = (OSError, http.client.HTTPException)
KIND = "application/offset+octet-stream"
Body = Callable[[int, int], bytes]  # offset, length → bytes


class Client:
    """One person at an address, which may change."""

    def __init__(self, address: Callable[[], str], who: str = "ada") -> None:
        self._address = address
        self._cookie = f"who={who}"
        self._line: http.client.HTTPConnection | None = None
        self.policy = ""

    def call(
        self, method: str, path: str, body: bytes | Iterator[bytes] = b"", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Make a request. Raised where the line breaks: one of `ERRORS`."""
        if self._line is None:
            parts = urlsplit(self._address())
            self._line = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=20)
        own = {"Cookie": self._cookie, "Sec-Fetch-Site": "same-origin"}
        given = own | {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            self._line.request(method, path, body=body, headers=given)
            answer = self._line.getresponse()
            text = answer.read()
        except ERRORS:
            self.close()
            raise
        cookies = [value.split(";")[0] for name, value in answer.getheaders() if name.lower() == "set-cookie"]
        if cookies:
            self._cookie = "; ".join([self._cookie.split(";")[0], *cookies])
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, text

    def close(self) -> None:
        """Hang up."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def open(self) -> None:
        """Open the page."""
        page = self.call("GET", "/form")[2].decode()
        self.policy = re.findall(r'name="rt-upload\.files" value="([^"]+)"', page)[0]

    def announce(self, name: str, size: int) -> dict[str, Any]:
        """Say that a file will come."""
        body = json.dumps({"policy": self.policy, "name": name, "size": size, "type": ""}).encode()
        status, _, text = self.call("POST", "/_rt/uploads", body, Content_Type="application/json")
        assert status == 201, text
        said: dict[str, Any] = json.loads(text)
        return said

    def send(self, said: dict[str, Any], size: int, body: Body, *, patience: float = 60.0) -> int:
        """Send a file, over whatever happens to the line; return how many bytes were sent twice."""
        path, offset, twice, sent, known = f"/_rt/uploads/{said['id']}", 0, 0, 0, True
        deadline = time.monotonic() + patience
        while offset < size or not known:
            assert time.monotonic() < deadline, f"{offset} of {size} bytes have arrived"
            try:
                if known:
                    piece = body(offset, min(said["chunk"], size - offset))
                    known, sent = False, max(sent, offset + len(piece))
                    status, headers, _ = self.call("PATCH", path, piece, Content_Type=KIND, Upload_Offset=str(offset))
                else:
                    status, headers, _ = self.call("HEAD", path)
            except ERRORS:
                time.sleep(0.02)
                continue
            assert status in (200, 204, 409), status
            offset, known = int(headers["upload-offset"]), True
            twice += sent - offset  # of what was on its way when the line broke
            sent = offset
        return twice

    def submit(self, *handles: str) -> tuple[int, Any]:
        """Send the form."""
        pairs = [("rt-upload.files", self.policy), *(("rt-upload.files", one) for one in handles)]
        kind = "application/x-www-form-urlencoded"
        with closing(self):
            status, _, text = self.call("POST", "/send", urlencode(pairs).encode(), Content_Type=kind)
        return status, json.loads(text) if status == 200 else text.decode()
