"""What can be said of an app without a running server: `doctor app:app`."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any, Final

from ..exceptions import BusUnavailable, RealtimeError
from ..middleware import RealtimeMiddleware
from ..realtime import Realtime
from .findings import Findings

_DEPTH: Final = 16  # middlewares around an app
_START: Final = 10.0  # seconds that bus and store may take


class NoApp(Exception):
    """Raised where there is no such app; its text says why."""


def load(target: str) -> tuple[Any, list[Realtime]]:
    """Return the app `module:name`, and the `Realtime` objects around it, the outermost first. Raised: `NoApp`."""
    module, _, name = target.partition(":")
    sys.path.insert(0, os.getcwd())
    try:
        found: Any = importlib.import_module(module)
    except Exception as error:  # whatever the app does at import
        raise NoApp(f"{module} could not be imported: {type(error).__name__}: {error}") from error
    holder = found
    for part in (name or "app").split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise NoApp(f"{module} has no {name or 'app'}.") from None
    around = list(dict.fromkeys(rt for rt, _ in _around(found)))
    return found, around or [value for value in vars(holder).values() if isinstance(value, Realtime)]


def _around(app: Any) -> Iterator[tuple[Realtime, int]]:
    """Yield the `Realtime` of each of our middlewares around an app, and how many other ones lie outside of it."""
    depth = 0
    for _ in range(_DEPTH):
        if isinstance(app, RealtimeMiddleware):
            yield app.rt, depth
        listed = getattr(app, "user_middleware", None)  # Starlette, the outermost first
        for place, one in enumerate(listed or ()):
            if getattr(one, "cls", None) is RealtimeMiddleware and isinstance(one.kwargs.get("rt"), Realtime):
                yield one.kwargs["rt"], depth + place
        inner = _inner(app)
        if inner is None:
            return
        depth += inner is not getattr(app, "asgi_app", None)  # Quart's and Flask's is not around, but within
        app = inner


def _inner(app: Any) -> Any:
    """Return what an app wraps, whatever it calls it; None where that cannot be told."""
    named = [getattr(app, name, None) for name in ("app", "asgi_app")]  # Quart has the latter
    for value in (*named, *getattr(app, "__dict__", {}).values()):
        inner = getattr(value, "__self__", value)
        if inner is not app and (isinstance(inner, RealtimeMiddleware) or hasattr(inner, "user_middleware")):
            return inner
    inner = named[0] or named[1]
    return inner if callable(inner) and inner is not app else None


def see_app(app: Any, found: list[Realtime], findings: Findings) -> None:
    """Judge an app."""
    if not found:
        findings.fail(
            "app",
            "There is no Realtime around this app.",
            "app.add_middleware(RealtimeMiddleware, rt=rt) as the last one, or RealtimeMiddleware(app, rt=rt).",
        )
        return
    depths: dict[Realtime, int] = {}
    for rt, depth in _around(app):
        depths.setdefault(rt, depth)
    for rt in found:
        _see_place(rt, depths.get(rt), findings)
        _see_settings(rt, findings)
        _see_start(rt, findings)
    _see_server(findings)


def _see_place(rt: Realtime, depth: int | None, findings: Findings) -> None:
    if depth is None:
        findings.fail(
            "middleware",
            f"Realtime(name={rt.name!r}) is in the module, and no RealtimeMiddleware around this app has it.",
            "Name the wrapped app, or wrap it: RealtimeMiddleware(app, rt=rt).",
        )
    elif depth:
        findings.warn(
            "middleware",
            f"RealtimeMiddleware is not the outermost: {depth} {'lies' if depth == 1 else 'lie'} around it, and all streams pass {'it' if depth == 1 else 'them'}.",
            "Add it last: app.add_middleware puts each around those before it.",
        )
    else:
        findings.ok("middleware", "RealtimeMiddleware is the outermost.")


def _see_settings(rt: Realtime, findings: Findings) -> None:
    workers = os.environ.get("WEB_CONCURRENCY", "")
    if not rt.bus.shared and workers.isdigit() and int(workers) > 1:
        findings.fail(
            "workers",
            f"WEB_CONCURRENCY={workers} starts several workers, and each has a log of its own.",
            'Realtime(bus="redis://…"), or WEB_CONCURRENCY=1.',
        )
    elif rt.bus.shared:
        findings.ok("workers", "Workers share one log.")
    else:
        findings.ok("workers", "The log lives in the process: good for one worker.")
    kept = type(rt.store).__name__
    findings.ok(
        "store",
        "What is kept is forgotten at a restart: receipts, drafts, what was put off."
        if kept == "MemoryStore"
        else f"What is kept goes to {kept}.",
    )
    findings.ok(
        "build",
        f"The build is {rt.build}."
        if "-" in rt.build
        else "Pages notice new versions of the kit only; build= tells them of yours.",
    )


def _see_start(rt: Realtime, findings: Findings) -> None:
    """Start and stop, which needs the bus and the store."""

    async def run() -> None:
        # Not rt.start(): that would take the place of the worker that runs.
        try:
            async with asyncio.timeout(_START):
                await rt.bus.start()
                if not rt.bus.reached:
                    raise TimeoutError("the bus does not answer")
                await rt.store.start()
                await rt.store.get("doctor")
        finally:
            await rt.store.stop()
            await rt.bus.stop()

    try:
        asyncio.run(run())
    except (BusUnavailable, TimeoutError, OSError) as error:
        findings.fail(
            "start",
            f"The bus or the store cannot be reached: {error or type(error).__name__}",
            "Start it, and look at bus= and store=.",
        )
    except RealtimeError as error:
        findings.fail("start", f"It does not start: {error}", "The text says why.")
    else:
        findings.ok("start", "The bus and the store can be reached.")


def _see_server(findings: Findings) -> None:
    servers = [name for name in ("uvicorn", "hypercorn", "granian", "daphne") if find_spec(name) is not None]
    if not servers:
        findings.warn("server", "No server is installed here.", 'pip install "uvicorn[standard]"')
        return
    findings.ok("server", f"Installed here: {', '.join(servers)}.")
    if "uvicorn" in servers:
        missing = [name for name in ("uvloop", "httptools") if find_spec(name) is None]
        if missing:
            findings.warn(
                "speed",
                f"uvicorn runs without {' and '.join(missing)}, which is slower.",
                'pip install "uvicorn[standard]"',
            )
        if all(find_spec(name) is None for name in ("websockets", "wsproto")):
            findings.warn("websocket", "uvicorn has nothing to speak WebSocket with.", "pip install websockets")
