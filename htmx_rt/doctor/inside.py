"""How a worker is set up, by what it tells to who can sign with the app's secret."""

from __future__ import annotations

from typing import Any, Final

from ..sockets import UNSENT
from .findings import Findings
from .outside import TRUST, Visit

_LOOPBACK: Final = ("127.0.0.1", "::1", "")
_GRACE: Final = {
    "uvicorn": "uvicorn --timeout-graceful-shutdown 5",
    "gunicorn": "gunicorn --graceful-timeout 5",
    "hypercorn": "hypercorn --graceful-timeout 5",
}


def see_inside(visit: Visit, *, asked: bool) -> None:
    """Judge what the worker told, where it was `asked` in a way that it answers."""
    told, findings = visit.look, visit.findings
    if told is None and asked:
        findings.unknown(
            "inside",
            "The worker did not tell how it is set up: the secret, or the name of its Realtime, is another one.",
            "Use the secret= and the name= of the app that answers there.",
        )
        return
    if told is None:
        findings.unknown(
            "inside",
            "How the worker is set up is told only to who knows its secret.",
            "Set RT_SECRET as the app has it, or add --app app:app.",
        )
        return
    _sockets(told, findings)
    _sending(told, findings)
    _ending(told, findings)
    _forwarding(visit, told, findings)
    _room(visit, told, findings)


def _room(visit: Visit, told: dict[str, Any], findings: Findings) -> None:
    """Judge how many streams there is room for."""
    limit, streams = int(told.get("limit") or 0), int(told.get("streams") or 0)
    files, taken = told.get("files"), told.get("backpressure")
    if taken is not None and taken <= limit:
        findings.warn(
            "room",
            f"granian takes {taken} connections, and the next ones wait without a word; {limit} streams are allowed.",
            f'granian --backpressure {limit + 1000}, or Realtime(limits={{"streams": {max(1, taken - 100)}}}).',
        )
    elif files is not None and 0 <= files <= limit and not visit.client.local:
        findings.warn(
            "room",
            f"The process may have {files} files open, and a stream is one; {limit} streams are allowed.",
            f"ulimit -n {limit + 1000}; systemd: LimitNOFILE={limit + 1000}; docker run --ulimit nofile={limit + 1000}.",
        )
    elif streams > 0.8 * limit:
        findings.warn(
            "room",
            f"{streams} of {limit} streams are open.",
            'Raise Realtime(limits={"streams": …}), and ulimit -n with it; or add a worker.',
        )
    else:
        findings.ok("room", f"{streams} of {limit} streams are open.")


def _sockets(told: dict[str, Any], findings: Findings) -> None:
    unsent = told.get("unsent")
    cure = "Linux: sysctl -w net.ipv4.tcp_notsent_lowat=65536, or docker run --sysctl …; or start the server by Server.run(sockets=[…])."
    if unsent is None:
        findings.unknown("sockets", "This system knows no bound for what a connection may leave unsent.")
    elif not unsent:
        findings.ok(
            "sockets", "There is no TCP listener in this process: a Unix socket, whose proxy holds what is unsent."
        )
    elif all(0 < value <= 2 * UNSENT for value in unsent):
        findings.ok("sockets", "A reader that stops reading holds at most 64 KiB in the system.")
    else:
        findings.warn(
            "sockets", "The server's sockets are not tuned: a reader that stops reading takes up to 4 MiB.", cure
        )


def _sending(told: dict[str, Any], findings: Findings) -> None:
    server = str(told.get("server") or "the server")
    if told.get("stepped"):
        findings.ok(
            "sending", f"The hub writes to {server} itself{', past send()' if told.get('accelerated') else ''}."
        )
    elif "uvicorn" in server:
        findings.warn(
            "sending",
            f"Something around the app wraps the send of {server}, so each stream costs a task more.",
            "Make RealtimeMiddleware the outermost: the last app.add_middleware(…), or RealtimeMiddleware(app, rt=rt) around everything.",
        )
    else:
        findings.ok("sending", f"Each stream has a task of its own, as {server} needs it.")


def _ending(told: dict[str, Any], findings: Findings) -> None:
    server = str(told.get("server") or "")
    # hypercorn tells its workers of the end by other means than signals.
    if not told.get("hears") or (server == "hypercorn" and told.get("child")):
        name = server or "The server"
        findings.warn(
            "ending",
            f"{name} keeps SIGTERM for itself, or runs the app outside the main thread: pages are not told before it ends.",
            "await rt.drain() where you hear of the end first. hypercorn: --workers 0.",
        )
        return
    grace = told.get("graceful", "")
    if grace == "":
        findings.ok("ending", "Streams end within a second of SIGTERM.")
    elif grace is None or grace > 30:
        flag = next((flag for name, flag in _GRACE.items() if server.startswith(name)), _GRACE["uvicorn"])
        findings.warn(
            "ending",
            "Streams end within a second of SIGTERM, and slow requests of your own may hold the server up for ever."
            if grace is None
            else f"Slow requests may hold the server up for {grace} s after SIGTERM.",
            flag,
        )
    else:
        findings.ok("ending", f"Streams end within a second of SIGTERM; slow requests have {grace:g} s.")


def _forwarding(visit: Visit, told: dict[str, Any], findings: Findings) -> None:
    headers, client = told.get("proxied") or [], str(told.get("client") or "")
    if not headers:
        return
    if told.get("scheme") != visit.client.parts.scheme:
        findings.fail(
            "forwarded",
            f"Browsers speak {visit.client.parts.scheme}, and the app believes {told.get('scheme')}.",
            "nginx: proxy_set_header X-Forwarded-Proto $scheme;\n" + TRUST,
        )
    elif client in _LOOPBACK and not visit.client.local:
        findings.warn(
            "forwarded",
            "The app takes the proxy for the client: limits by address and logs know one visitor only.",
            "nginx: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n" + TRUST,
        )
    else:
        findings.ok("forwarded", "The app knows from the proxy who asks, and how.")
    keep = told.get("keep_alive")
    if keep is not None and keep < 60:
        findings.warn(
            "keep-alive",
            f"The server closes idle connections after {keep:g} s, at times just as the proxy sends the next request, which is a 502.",
            "Longer than the proxy keeps them (nginx: keepalive_timeout in upstream, 60 s):\nuvicorn --timeout-keep-alive 75; gunicorn --keep-alive 75; hypercorn --keep-alive 75.",
        )
