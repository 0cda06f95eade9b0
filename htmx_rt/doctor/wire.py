"""HTTP as a browser speaks it, with the time at which each piece arrived: the standard library, and nothing else."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import socket
import ssl
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import SplitResult, urljoin, urlsplit

TIMEOUT = 10.0  # seconds that anything but an open stream may take
AGENT = "htmx-rt-doctor"
_REDIRECTS = 5


class Unreachable(Exception):
    """Raised where nobody answers; its text says why."""


class Silent(Unreachable):
    """Raised where somebody is there, and says nothing."""


@dataclass(slots=True)
class Answer:
    """A whole answer."""

    address: str
    status: int
    headers: http.client.HTTPMessage
    body: bytes
    seconds: float  # until it was there

    def header(self, name: str) -> str:
        """Return the header `name`, or ""."""
        return str(self.headers.get(name, ""))

    @property
    def text(self) -> str:
        """The body, unpacked."""
        kind, body = self.header("Content-Encoding").lower(), self.body
        with contextlib.suppress(OSError, zlib.error, EOFError):
            body = gzip.decompress(body) if kind == "gzip" else zlib.decompress(body) if kind == "deflate" else body
        return body.decode("utf-8", "replace")


@dataclass(slots=True)
class Pieces:
    """An answer that is read as it comes."""

    answer: http.client.HTTPResponse
    connection: http.client.HTTPConnection
    asked: float  # monotonic, when the request was sent
    ended: str = ""  # "over", "cut" or "late"

    def read(self, until: float) -> Iterator[tuple[float, bytes]]:
        """Yield (when, bytes) until `until`, monotonic, or the end, which `ended` tells."""
        while (left := until - time.monotonic()) > 0:
            try:
                if self.connection.sock is not None:
                    self.connection.sock.settimeout(max(left, 0.001))
                piece = self.answer.read1(65536)
            except TimeoutError:
                break
            except (OSError, http.client.HTTPException, ValueError):
                self.ended = "cut"
                return
            if not piece:
                self.ended = "over"
                return
            yield time.monotonic(), piece
        self.ended = "late"

    def close(self) -> None:
        """Leave."""
        self.answer.close()
        self.connection.close()


@dataclass(slots=True)
class Client:
    """A browser of one person: cookies, and the headers of a page's own requests."""

    address: str
    headers: Mapping[str, str] = field(default_factory=dict)  # with every request
    verify: bool = True
    cookies: dict[str, str] = field(default_factory=dict)
    set_cookies: list[str] = field(default_factory=list)

    @property
    def parts(self) -> SplitResult:
        """The address, taken apart."""
        return urlsplit(self.address)

    @property
    def secure(self) -> bool:
        """Whether it goes over TLS."""
        return self.parts.scheme == "https"

    @property
    def local(self) -> bool:
        """Whether the server is this machine, which browsers trust without TLS."""
        return self.parts.hostname in ("localhost", "127.0.0.1", "::1")

    @property
    def origin(self) -> str:
        """The origin of the page."""
        return f"{self.parts.scheme}://{self.parts.netloc}"

    def context(self) -> ssl.SSLContext:
        """Return what TLS is set up by."""
        context = ssl.create_default_context()
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def connect(self) -> http.client.HTTPConnection:
        """Return a new connection. Raised where there is none: `Unreachable`."""
        host, port = self.parts.hostname or "", self.parts.port
        if self.secure:
            made: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=TIMEOUT, context=self.context()
            )
        else:
            made = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
        try:
            made.connect()
        except ssl.SSLCertVerificationError as error:
            raise Unreachable(f"Its certificate is not accepted ({error.verify_message}).") from None
        except OSError as error:
            raise Unreachable(f"Nobody answers at {self.origin} ({error}).") from None
        return made

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        over: http.client.HTTPConnection | None = None,
    ) -> Answer:
        """Return a whole answer, over a connection of its own unless one is given. Raised: `Unreachable`."""
        connection = over or self.connect()
        began = time.monotonic()
        try:
            connection.request(method, path, body=body, headers=self._headers(headers))
            answer = connection.getresponse()
            whole = answer.read()
        except TimeoutError:
            raise Unreachable(f"{method} {path} was not answered within {TIMEOUT:g} s.") from None
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{method} {path} was not answered ({error or type(error).__name__}).") from None
        finally:
            if over is None:
                connection.close()
        self._keep(answer.msg)
        return Answer(path, answer.status, answer.msg, whole, time.monotonic() - began)

    def page(self) -> Answer:
        """Return the page at the address, as a navigation gets it; follows redirects within the site."""
        sent = {"Accept": "text/html,application/xhtml+xml", "Accept-Encoding": "gzip, deflate"}
        site = {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        for _ in range(_REDIRECTS):
            answer = self.ask("GET", self._path(), headers=sent | (site if self.secure or self.local else {}))
            if answer.status not in (301, 302, 303, 307, 308):
                break
            self.address = urljoin(self.address, answer.header("Location"))
        return answer

    def stream(self, method: str, path: str, *, body: bytes | None = None, within: float = TIMEOUT) -> Pieces:
        """Return an answer to be read as it comes; browsers ask for all that they can unpack. Raised: `Unreachable`."""
        connection = self.connect()
        if connection.sock is not None:
            connection.sock.settimeout(within)
        sent = {"Accept": "text/event-stream", "Accept-Encoding": "gzip, deflate, br, zstd"} | self.same_origin()
        asked = time.monotonic()
        try:
            connection.request(method, path, body=body, headers=self._headers(sent, json=body is not None))
            answer = connection.getresponse()
        except TimeoutError:
            connection.close()
            raise Silent(f"{method} {path} brought nothing within {within:g} s.") from None
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Unreachable(f"{method} {path} was not answered ({error or type(error).__name__}).") from None
        self._keep(answer.msg)
        return Pieces(answer, connection, asked)

    def same_origin(self) -> dict[str, str]:
        """Return what browsers say of a page's own requests: without TLS only `Origin`."""
        return {"Origin": self.origin} | (
            {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"} if self.secure or self.local else {}
        )

    def raw(self) -> socket.socket:
        """Return a new connection without HTTP. Raised where there is none: `Unreachable`."""
        connection = self.connect()
        assert connection.sock is not None
        return connection.sock

    def alpn(self) -> str | None:
        """Return what a browser would speak: "h2" or "http/1.1"; None without TLS, or where it cannot be told."""
        if not self.secure:
            return None
        context = self.context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        try:
            with (
                socket.create_connection((self.parts.hostname or "", self.parts.port or 443), TIMEOUT) as plain,
                context.wrap_socket(plain, server_hostname=self.parts.hostname) as wrapped,
            ):
                return wrapped.selected_alpn_protocol() or "http/1.1"
        except OSError:
            return None

    def _path(self) -> str:
        return (self.parts.path or "/") + (f"?{self.parts.query}" if self.parts.query else "")

    def cookie_header(self) -> dict[str, str]:
        """Return the header with all cookies."""
        told = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Cookie": told} if told else {}

    def _headers(self, more: Mapping[str, str] | None, *, json: bool = False) -> dict[str, str]:
        kind = {"Content-Type": "application/json"} if json else {}
        return {"User-Agent": AGENT, **self.headers, **kind, **self.cookie_header(), **(more or {})}

    def _keep(self, headers: http.client.HTTPMessage) -> None:
        for line in headers.get_all("Set-Cookie") or []:
            self.set_cookies.append(line)
            with contextlib.suppress(CookieError):
                for name, morsel in SimpleCookie(line).items():
                    self.cookies[name] = morsel.value
