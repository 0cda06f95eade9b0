"""`GET {prefix}/stream?probe=…`: a few ticks at known times, so that one sees what lies between a page and its worker.

It has the address and the headers of a stream, so that whatever buffers, cuts or compresses those does it to this, too.
It tells nobody anything but the time and the log's epoch; who can sign with the app's secret learns how the worker is
set up, which is what `python -m htmx_rt doctor` asks for.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import re
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qs

from ..drain import heard
from ..exceptions import Refused
from ..lines import server_send
from ..sockets import NOTSENT_LOWAT, listeners
from .http import Call, Headers

GAP: Final = 0.1  # seconds between ticks
MOST: Final = 20  # ticks of one probe
_AT_ONCE: Final = 64  # probes of a worker
_LOOK: Final = 60.0  # seconds that a signed word counts
_KEY: Final = "probe"  # among the openings, which count as streams
_PROXIES: Final = re.compile(rb"x-forwarded-.*|x-real-ip|forwarded|via|cf-ray|x-request-start")
_SERVERS: Final = ("hypercorn", "granian", "daphne", "gunicorn")
_WRAPPERS: Final = 16  # middlewares that may have wrapped a server's send


async def probe(call: Call, headers: Headers) -> None:
    """Answer with ticks, or raise `Refused`."""
    rt = call.rt
    query = parse_qs(call.state.scope.get("query_string", b"").decode("latin-1"))
    asked = query["probe"][0]
    if not re.fullmatch(r"[0-9]{1,2}", asked) or not 1 <= int(asked) <= MOST:
        raise Refused(400, "bad-request", f"Send ?probe= with a number from 1 to {MOST}.")
    if rt.draining:
        raise Refused(503, "draining", "This worker is about to stop.", retry_after=1)
    if rt.opening[_KEY] >= _AT_ONCE:
        raise Refused(503, "limited", "Too many probes at once.", retry_after=2)
    rt.opening[_KEY] += 1
    try:
        with contextlib.suppress(OSError, RuntimeError):  # as servers say that nobody is there any more
            await call.send({"type": "http.response.start", "status": 200, "headers": list(headers)})
            await _tick(call, int(asked), look=_may_look(call, query.get("look", [""])[0]))
    finally:
        rt.opening[_KEY] -= 1
        if not rt.opening[_KEY]:
            del rt.opening[_KEY]


async def _tick(call: Call, count: int, *, look: bool) -> None:
    rt, loop = call.rt, asyncio.get_running_loop()
    if look:  # as a stream does, so that what is seen is what streams have
        rt.watch()
        rt.tune()
    began = loop.time()
    for number in range(count):
        if number:
            await asyncio.sleep(began + number * GAP - loop.time())
        last = number == count - 1 or rt.draining
        told: dict[str, Any] = {"n": number, "ms": round(1000 * (loop.time() - began), 1)}
        if not number:
            told |= {"now": round(rt.identity.clock(), 3), "epoch": rt.bus.log.epoch}
        if last and look:
            told["look"] = facts(call)
        body = f"data: {json.dumps(told)}\n\n".encode()
        await call.send({"type": "http.response.body", "body": body, "more_body": not last})
        if last:
            return


def _may_look(call: Call, word: str) -> bool:
    value = call.rt.signer.loads("doctor", word)
    return isinstance(value, int | float) and abs(call.rt.identity.clock() - value) <= _LOOK


def facts(call: Call) -> dict[str, Any]:
    """Return how this worker is set up, as far as it bears on streams."""
    rt, scope = call.rt, call.state.scope
    client = scope.get("client")
    return {
        "process": os.getpid(),
        "server": server_name(call.wire),
        "stepped": server_send(call.send) is not None,
        "accelerated": rt.accelerator is not None,
        "unsent": _unsent(),
        "hears": heard(),
        "child": multiprocessing.parent_process() is not None,
        "bus": type(rt.bus).__name__,
        "shared": rt.bus.shared,
        "alone": rt.alone,
        "store": type(rt.store).__name__,
        "scheme": scope.get("scheme", "http"),
        "http": scope.get("http_version", ""),
        "root_path": scope.get("root_path", ""),
        "client": client[0] if client else None,
        "host": call.state.header(b"host"),
        "proxied": sorted({name.decode() for name, _ in scope["headers"] if _PROXIES.fullmatch(name)}),
        "forwarded": call.state.header(b"x-forwarded-proto"),
        "build": rt.build,
        "streams": rt.streams,
        "limit": rt.limits.streams,
        "files": _open_files(),
        **_settings(call.wire),
    }


def _open_files() -> int | None:
    """Return how many files, and so connections, this process may have open."""
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _unsent() -> list[int] | None:
    """Return how much each listener's connections may leave unsent; None where the system knows no such bound."""
    if NOTSENT_LOWAT is None:
        return None
    return [listener.getsockopt(socket.IPPROTO_TCP, NOTSENT_LOWAT) for listener in listeners()]


def server_name(send: Any) -> str:
    """Return the server that `send` leads to, and how it parses HTTP: "uvicorn httptools"; "" for one that hides."""
    inner = _innermost(send)
    owner = getattr(inner, "__self__", None)
    module = type(owner).__module__ if owner is not None else str(getattr(inner, "__module__", "") or "")
    package, *rest = module.strip("_").split(".")
    if package == "uvicorn":
        parser = rest[-1].removesuffix("_impl") if rest else ""
        return ("gunicorn " if "gunicorn.arbiter" in sys.modules else "") + f"uvicorn {parser}".strip()
    return package if package in _SERVERS else ""


def _innermost(send: Any) -> Any:
    """Return the server's own `send`, from within what middlewares have put around it."""
    for _ in range(_WRAPPERS):
        names = getattr(getattr(send, "__code__", None), "co_freevars", ())
        if hasattr(send, "__self__") or "send" not in names:
            break
        send = send.__closure__[names.index("send")].cell_contents
    return send


def _settings(send: Any) -> dict[str, Any]:
    """Return how long the server waits at its end, and for idle connections, in seconds, where it can be told."""
    owner = getattr(_innermost(send), "__self__", None)
    config = getattr(owner, "config", None)  # hypercorn
    if config is None:  # uvicorn
        config = getattr(getattr(getattr(owner, "on_response", None), "__self__", None), "config", None)
    master = getattr(getattr(getattr(config, "callback_notify", None), "__self__", None), "cfg", None)  # gunicorn
    told: dict[str, Any] = {}
    for name, holder, attribute in (
        ("graceful", config, "graceful_timeout"),
        ("graceful", config, "timeout_graceful_shutdown"),
        ("graceful", master, "graceful_timeout"),
        ("keep_alive", config, "keep_alive_timeout"),
        ("keep_alive", config, "timeout_keep_alive"),
    ):
        if hasattr(holder, attribute):
            told[name] = getattr(holder, attribute)
    if type(owner).__module__.strip("_").startswith("granian"):
        told["backpressure"] = _backpressure(sys.argv, os.environ)
    return told


def _backpressure(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Return how many connections a worker of granian takes, as its command line says."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for name, default in (("backpressure", 0), ("backlog", 1024), ("workers", 1)):
        value = environment.get(f"GRANIAN_{name.upper()}", "")
        parser.add_argument(f"--{name}", type=int, default=int(value) if value.isdigit() else default)
    try:
        told = parser.parse_known_args(list(arguments))[0]
    except argparse.ArgumentError:
        return 1024
    return int(max(1, told.backpressure or told.backlog // max(1, told.workers)))
