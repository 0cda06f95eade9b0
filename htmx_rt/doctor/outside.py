"""What anybody sees of a site: its page, the kit's addresses, cookies, what it speaks, and how far away it is."""

from __future__ import annotations

import json
import statistics
import time
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from .. import protocol
from .findings import Findings
from .page import Read, read_page
from .wire import Answer, Client, Unreachable

_FAR: Final = 0.5  # seconds of a round trip, above which every action feels it
_TRIPS: Final = 7
NGINX_HOST: Final = "proxy_set_header Host $http_host;"
_PROXIES: Final = (
    "nginx",
    "openresty",
    "apache",
    "caddy",
    "cloudflare",
    "haproxy",
    "envoy",
    "traefik",
    "varnish",
    "awselb",
    "litespeed",
)


@dataclass(slots=True)
class Visit:
    """One examination: whom we ask, what we were told, what we found."""

    client: Client
    findings: Findings
    prefix: str = ""
    page: Read = field(default_factory=Read)
    server: str = ""  # the header
    proxy: str = ""  # that is known to stand in front, by name
    trip: float = 0.0  # seconds of a round trip
    skew: float | None = None  # seconds by which the server's clock is ahead
    heartbeat: float = 15.0  # seconds
    look: dict[str, Any] | None = None  # what the worker says of itself


def see_page(visit: Visit, prefix: str | None) -> bool:
    """Fetch the page; False where there is nothing more to look at."""
    client, findings = visit.client, visit.findings
    asked = client.address
    try:
        answer = client.page()
    except Unreachable as error:
        findings.fail("page", str(error), _unreachable(str(error)))
        return False
    visit.server = answer.header("Server")
    visit.proxy = _proxy(answer)
    path = urlsplit(client.address).path or "/"
    if answer.status >= 400:
        findings.fail(
            "page",
            f"GET {path} answered {answer.status}.",
            "Name the address of a page that opens without signing in, or pass --cookie.",
        )
        return False
    visit.page = read_page(answer.text)
    config = visit.page.config
    visit.prefix = prefix or str((config or {}).get("prefix") or protocol.PREFIX)
    took = f"GET {path} answered {answer.status} in {1000 * answer.seconds:.0f} ms"
    if client.address != asked:
        took += f", after a redirect from {urlsplit(asked).path or '/'}"
    if config is None:
        findings.fail(
            "page",
            f"{took}, and its head says nothing to the extension.",
            "Write {{ rt.head() }} into the <head> of its template; or name another page.",
        )
    elif not visit.page.grants:
        findings.warn(
            "page",
            f"{took}, and subscribes to nothing, so only a trial stream can be looked at.",
            "Name a page with {{ rt.stream(…) }}; if it needs a login, pass --cookie 'name=value'.",
        )
    else:
        findings.ok("page", f"{took}, with {_count(len(visit.page.grants), 'topic')}.")
    return True


def _unreachable(why: str) -> str:
    return (
        "Pass --insecure for a certificate of your own."
        if "certificate" in why
        else "Start the server, or correct the address."
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _proxy(answer: Answer) -> str:
    """Return the name of a proxy that shows itself."""
    server = answer.header("Server").lower()
    for name in _PROXIES:
        if name in server:
            return name
    via = answer.header("Via")
    return via.split()[-1] if via else "cloudflare" if answer.header("CF-Ray") else ""


def see_prefix(visit: Visit) -> bool:
    """Ask for the kit's own health; False where nothing of the kit can be reached."""
    path = visit.prefix + "/health"
    try:
        answer = visit.client.ask("GET", path)
    except Unreachable as error:
        visit.findings.fail("prefix", str(error), "Restart the server, and look at its log.")
        return False
    told = _object(answer.body)
    if answer.status in (200, 503) and "status" in told and "build" in told:
        if told["status"] != "ok":
            visit.findings.warn(
                "prefix",
                f"{path} says that this worker is {told['status']}.",
                "It is about to stop: ask again in a moment.",
            )
        else:
            visit.findings.ok("prefix", f"{path} answers; the build is {told['build']}.")
        return True
    cure = (
        f"Let the proxy pass {visit.prefix}/ on to the app, below the same path as its pages.\n"
        "An app below a path needs to know of it: uvicorn --root-path /path, FastAPI(root_path=…), or a mount.\n"
        "RealtimeMiddleware goes around the whole app, outermost."
    )
    visit.findings.fail("prefix", f"{path} answered {answer.status}, and not as the kit does.", cure)
    return False


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def see_files(visit: Visit) -> None:
    """Fetch the kit's files that the page names."""
    bad: list[str] = []
    for address in visit.page.files:
        parts = urlsplit(address)
        if parts.netloc and parts.netloc != visit.client.parts.netloc:
            continue
        try:
            answer = visit.client.ask("GET", parts.path)
        except Unreachable as error:
            bad.append(str(error))
            continue
        kind = answer.header("Content-Type")
        if answer.status != 200 or not kind.startswith(("text/javascript", "application/javascript", "text/css")):
            bad.append(f"{parts.path} answered {answer.status} {kind}")
    if bad:
        visit.findings.fail(
            "files",
            f"{bad[0]}{f', and {len(bad) - 1} more' if bad[1:] else ''}.",
            f"Leave {visit.prefix}/static/ to the app: no location or static folder of the proxy may take it.",
        )
    elif visit.page.files:
        visit.findings.ok("files", f"The page's {_count(len(visit.page.files), 'file')} can be loaded.")


def see_cookie(visit: Visit) -> None:
    """Look at the identity cookie that came with the page."""
    name = str((visit.page.config or {}).get("name") or "app")
    lines = [line for line in visit.client.set_cookies if line.split("=")[0] in (f"rt-{name}", f"__Host-rt-{name}")]
    if not lines:
        if visit.page.config is not None and not any(key.endswith(f"rt-{name}") for key in visit.client.cookies):
            visit.findings.fail(
                "cookie",
                "The page came without the identity cookie, and no stream opens without it.",
                "Let no cache keep the page, and no proxy remove Set-Cookie from it.",
            )
        return
    line, secure = lines[-1], "; secure" in lines[-1].lower()
    if visit.client.secure and not (secure and line.startswith("__Host-")):
        visit.findings.fail(
            "cookie",
            "The page goes over TLS, and its identity cookie is not Secure: the app does not know of the TLS.",
            "nginx: proxy_set_header X-Forwarded-Proto $scheme;\n" + TRUST,
        )
    elif not visit.client.secure and secure:
        visit.findings.fail(
            "cookie",
            "The page goes over plain HTTP, and its identity cookie is Secure, so browsers drop it.",
            "Send X-Forwarded-Proto as the browser has it: proxy_set_header X-Forwarded-Proto $scheme;",
        )
    elif not visit.client.secure and not visit.client.local:
        visit.findings.warn(
            "cookie",
            "The page goes over plain HTTP, where others can take the cookie on its way.",
            "Use TLS, and HTTP/2 with it.",
        )
    else:
        visit.findings.ok(
            "cookie",
            "The identity cookie is Secure and bound to this host."
            if secure
            else "The identity cookie is there; without TLS it cannot be Secure.",
        )


TRUST: Final = (
    "uvicorn: --proxy-headers --forwarded-allow-ips=<address of the proxy>; gunicorn: --forwarded-allow-ips=…;\n"
    "hypercorn: hypercorn.middleware.ProxyFixMiddleware; granian: granian.utils.proxies.wrap_asgi_with_proxy_headers."
)


def see_trip(visit: Visit) -> None:
    """Measure the round trip over one connection that is kept."""
    times: list[float] = []
    try:
        kept = visit.client.connect()
        try:
            for _ in range(_TRIPS):
                began = time.monotonic()
                visit.client.ask("GET", visit.prefix + "/health", over=kept)
                times.append(time.monotonic() - began)
        finally:
            kept.close()
    except Unreachable:
        if not times:
            return
    visit.trip = statistics.median(times)
    told = f"A round trip takes {1000 * visit.trip:.1f} ms (median of {len(times)}; {1000 * min(times):.1f} to {1000 * max(times):.1f})."
    if visit.trip > _FAR:
        visit.findings.warn("round trip", told, "Serve people from nearer, or let actions show at once: rt-optimistic.")
    else:
        visit.findings.ok("round trip", told)


def see_http(visit: Visit) -> None:
    """Tell which HTTP browsers speak here, and who answers."""
    spoken = visit.client.alpn()
    behind = str((visit.look or {}).get("server") or "")
    front = visit.proxy or visit.server or "somebody without a name"
    told = f"{front} in front of {behind}" if behind and visit.proxy else behind or front
    visit.findings.ok(
        "server", f"It is {told} that answers." if told != "somebody without a name" else "The server gives no name."
    )
    if spoken == "h2":
        visit.findings.ok(
            "http",
            "Browsers speak HTTP/2 here: any number of tabs, each with its stream. (These tests spoke HTTP/1.1.)",
        )
    elif visit.client.secure:
        visit.findings.warn(
            "http",
            "Browsers speak HTTP/1.1 here, and open six connections to a host, of which streams take their part.",
            "nginx: http2 on; beside listen 443 ssl; hypercorn and granian speak HTTP/2 by themselves over TLS; uvicorn does not.",
        )
    elif visit.client.local:
        visit.findings.ok("http", "HTTP/1.1 without TLS, as on one's own machine.")
    else:
        visit.findings.warn(
            "http",
            "Plain HTTP: browsers open six connections to a host, and everybody on the way can read.",
            "Put a proxy with TLS and HTTP/2 in front: listen 443 ssl; http2 on;",
        )
