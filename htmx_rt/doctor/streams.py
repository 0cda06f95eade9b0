"""What becomes of a stream on its way: late, in lumps, packed, cut; and whether its workers know of each other."""

from __future__ import annotations

import json
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from .. import protocol
from .findings import Finding
from .outside import NGINX_HOST, Visit
from .wire import Pieces, Silent, Unreachable

FIRST: Final = 1.0  # seconds, promised until the first byte
_SILENT: Final = 5.0  # seconds without a first byte, after which pages try another line
_TICKS: Final = 10
_TAIL: Final = 65536  # bytes of a stream that are kept, for the word at its end
_LUMP: Final = 0.25  # seconds that a tick may be late beside the others
_ASKED: Final = 24  # connections at once, to meet as many workers as there are
_SKEW: Final = 1.0  # seconds between the clocks of two workers
_OFF: Final = 60.0  # seconds between the server's clock and ours
UNBUFFER: Final = (
    "nginx: proxy_buffering off; in the location of {prefix}/stream, no proxy_ignore_headers X-Accel-Buffering,\n"
    "and text/event-stream not among the gzip_types;\n"
    "others: switch buffering of text/event-stream off."
)
_UNPACK: Final = (
    "Exempt text/event-stream from compression. nginx: keep it out of gzip_types;\n"
    "in the app: RealtimeMiddleware outermost, around what compresses."
)


class Watch:
    """The page's stream, read in a thread while other things are looked at."""

    def __init__(self, visit: Visit, pieces: Pieces, first: float) -> None:
        self.visit, self.pieces, self.first = visit, pieces, first
        self.body = b""
        self.heard = 0.0  # seconds since the stream was asked for, when something came last
        self.seconds = 0.0
        self._thread: threading.Thread | None = None

    def begin(self, until: float) -> None:
        """Read on, up to a time."""
        self._thread = threading.Thread(target=self._read, args=(until,), daemon=True)
        self._thread.start()

    def _read(self, until: float) -> None:
        for when, piece in self.pieces.read(until):
            self.body = (self.body + piece)[-_TAIL:]
            self.heard = when - self.pieces.asked
        self.seconds = time.monotonic() - self.pieces.asked

    @property
    def bye(self) -> bool:
        """Whether the server has sent us away."""
        return f"event: {protocol.BYE}\n".encode() in self.body or f"event: {protocol.STOP}\n".encode() in self.body

    def done(self) -> None:
        """Wait until it has been read for as long as asked, and tell what became of it."""
        if self._thread is not None:
            self._thread.join()
        self.pieces.close()
        self.visit.findings.append(self._said())

    def _said(self) -> Finding:
        seconds, beat = self.seconds, self.visit.heartbeat
        if self.bye:
            return Finding(
                "cut",
                "warning",
                f"The server ended the stream after {seconds:.1f} s, with a word: it is restarting, or this person has too many.",
                "Ask again in a moment.",
            )
        if self.pieces.ended in ("cut", "over"):
            cure = (
                f"Somebody between cuts idle connections: allow them {max(40, 2 * beat):.0f} s or more.\n"
                f"nginx: proxy_read_timeout 60s; in the location of {self.visit.prefix}/ (a balancer: its idle timeout)."
            )
            return Finding("cut", "problem", f"The stream was cut after {seconds:.1f} s, without a word.", cure)
        if seconds < beat + 1:
            return Finding(
                "cut",
                "unknown",
                f"The stream held for {seconds:.0f} s; too short to see a sign of life, which comes every {beat:g} s.",
                f"Leave --seconds out, or say --seconds {round(beat + 3)} or more.",
            )
        if self.heard < min(beat * 0.9, seconds):
            return Finding(
                "cut",
                "problem",
                f"No sign of life came through in {seconds:.0f} s, and there is one every {beat:g} s.",
                UNBUFFER.format(prefix=self.visit.prefix),
            )
        return Finding("cut", "ok", f"The stream held for {seconds:.0f} s, and brought its signs of life.")


def open_stream(visit: Visit) -> Watch | None:
    """Open the page's own stream, and tell how soon it spoke; None where it did not."""
    client, findings = visit.client, visit.findings
    path = visit.prefix + "/stream"
    if not visit.page.grants:
        return None
    try:
        pieces = client.stream("POST", path, body=visit.page.order(), within=_SILENT)
    except Silent:
        findings.fail(
            "first byte",
            f"The stream brought no byte within {_SILENT:g} s: it is held back on its way.",
            UNBUFFER.format(prefix=visit.prefix),
        )
        return None
    except Unreachable as error:
        findings.fail("first byte", str(error), "Look at the log of the server.")
        return None
    if pieces.answer.status != 200:
        _refused(visit, pieces)
        return None
    found = next(pieces.read(pieces.asked + _SILENT), None)
    if found is None:
        pieces.close()
        findings.fail(
            "first byte",
            f"The stream opened, and brought no byte within {_SILENT:g} s: it is held back on its way.",
            UNBUFFER.format(prefix=visit.prefix),
        )
        return None
    took = found[0] - pieces.asked
    told = f"The stream's first bytes came after {1000 * took:.0f} ms."
    if took > FIRST:
        findings.warn(
            "first byte",
            told,
            "More than a second: the server is busy, or the stream is held back. "
            + UNBUFFER.format(prefix=visit.prefix),
        )
    else:
        findings.ok("first byte", told)
    packed = pieces.answer.headers.get("Content-Encoding", "")
    if packed:
        findings.fail("packed", f"The stream is compressed ({packed}), which holds back what is short.", _UNPACK)
    else:
        findings.ok("packed", "The stream is not compressed.")
    watch = Watch(visit, pieces, took)
    watch.body = found[1]
    visit.heartbeat = _heartbeat(found[1]) or visit.heartbeat
    return watch


def _heartbeat(body: bytes) -> float | None:
    for line in body.split(b"\n"):
        if line.startswith(b"data: ") and b'"heartbeat"' in line:
            try:
                return float(json.loads(line[6:])["heartbeat"]) / 1000
            except (ValueError, KeyError, TypeError):
                return None
    return None


def _refused(visit: Visit, pieces: Pieces) -> None:
    status, problem = pieces.answer.status, str(pieces.answer.headers.get(protocol.PROBLEM, ""))
    detail = ""
    try:
        detail = str(json.loads(pieces.answer.read(65536)).get("detail", ""))
    except (OSError, ValueError, AttributeError):
        pass
    finally:
        pieces.close()
    if not problem:
        cure = f"It is not the kit that says so: let the proxy, and whatever else guards the site, pass POST {visit.prefix}/stream on."
    elif problem == "forbidden" and "Origin" in detail:
        cure = f'The app has to see the Host of the browser, with its port. nginx: {NGINX_HOST}\nOr name the page\'s origin: Realtime(origins=["{visit.client.origin}"]).'
    elif problem in ("no-cookie", "user-changed", "signed-out"):
        cure = "The page's cookies have to come back with the stream: let nothing remove or rename them, and no cache keep the page."
    else:
        cure = "Several workers need the same secret= and name=; a cache must not keep the page."
    told = f" {problem}" if problem else ""
    visit.findings.fail("stream", f"The stream was refused: {status}{told}. {detail}".rstrip(), cure)


def see_clock(visit: Visit) -> None:
    """Learn how far the server's clock is from ours."""
    try:
        told = _ticks(visit, 1, "")[2]
    except Unreachable:
        return
    if told and "now" in told[0]:
        ago = time.monotonic() - (told[0]["asked"] + visit.trip / 2)
        visit.skew = float(told[0]["now"]) - (time.time() - ago)


def see_ticks(visit: Visit, word: str = "") -> None:
    """Compare when ticks came with when they were sent; with a signed word, the worker also tells how it is set up."""
    try:
        sent, came, told, packed = _ticks(visit, _TICKS, word)
    except Unreachable as error:
        visit.findings.fail("buffering", str(error), f"Let GET {visit.prefix}/stream through as POST is.")
        return
    if packed and not any(finding.about == "packed" for finding in visit.findings):
        visit.findings.fail(
            "packed", f"A trial stream is compressed ({packed}), which holds back what is short.", _UNPACK
        )
    if not sent and packed:
        return  # what is packed cannot be read here
    if not sent:
        visit.findings.fail(
            "buffering",
            "A trial stream was refused.",
            f"Let GET {visit.prefix}/stream through; is the app of the same version as this doctor?",
        )
        return
    visit.look = next((tick["look"] for tick in told if isinstance(tick.get("look"), dict)), None)
    least = min(there - here for here, there in zip(sent, came, strict=True))
    late = [there - here - least for here, there in zip(sent, came, strict=True)]
    lumps = len({round(moment, 2) for moment in came})
    worst = max(late)
    if worst > _LUMP:
        told_ = f"Of {len(sent)} ticks, sent over {sent[-1]:.1f} s, one came {worst:.1f} s late, and they came in {lumps} {'lump' if lumps == 1 else 'lumps'}: the stream is buffered on its way."
        visit.findings.fail("buffering", told_, UNBUFFER.format(prefix=visit.prefix))
    elif len(sent) < _TICKS:
        visit.findings.warn(
            "buffering",
            f"A trial stream broke off after {len(sent)} of {_TICKS} ticks.",
            "Ask again; a worker that stops does that.",
        )
    else:
        visit.findings.ok(
            "buffering", f"{len(sent)} ticks came as they were sent, the latest {1000 * worst:.0f} ms late."
        )
    _clock(visit)


def _ticks(visit: Visit, count: int, word: str) -> tuple[list[float], list[float], list[dict[str, Any]], str]:
    """Return when ticks were sent, when they came, in seconds, what they say, and how they were packed."""
    path = f"{visit.prefix}/stream?probe={count}" + (f"&look={word}" if word else "")
    pieces = visit.client.stream("GET", path)
    sent: list[float] = []
    came: list[float] = []
    told: list[dict[str, Any]] = []
    body, packed = b"", str(pieces.answer.headers.get("Content-Encoding", ""))
    try:
        if pieces.answer.status != 200:
            return sent, came, told, packed
        for when, piece in pieces.read(pieces.asked + _SILENT):
            *blocks, body = (body + piece).split(b"\n\n")
            for block in blocks:
                tick = json.loads(block.removeprefix(b"data: "))
                tick["asked"], tick["came"] = pieces.asked, when
                told.append(tick)
                sent.append(tick["ms"] / 1000)
                came.append(when - pieces.asked)
    except (ValueError, KeyError, TypeError):  # packed, or not ours
        pass
    finally:
        pieces.close()
    return sent, came, told, packed


def _clock(visit: Visit) -> None:
    if visit.skew is None:
        return
    told = f"The server's clock and this machine's are {abs(visit.skew):.1f} s apart."
    if abs(visit.skew) > _OFF:
        cure = "Let both keep time by NTP: grants and sign-outs go by the clocks of the workers."
        visit.findings.warn("clock", told, cure)
    else:
        visit.findings.ok("clock", told)


def see_workers(visit: Visit) -> None:
    """Ask over many connections at once, and tell whether all workers have one log."""
    epochs: list[str] = []
    clocks: dict[str, list[float]] = {}

    def ask(_: int) -> None:
        try:
            told = _ticks(visit, 2, "")[2]
        except Unreachable:
            return
        if told and "epoch" in told[0]:
            epochs.append(told[0]["epoch"])
            clocks.setdefault(told[0]["epoch"], []).append(
                float(told[0]["now"]) - (time.time() - time.monotonic() + told[0]["asked"])
            )

    with ThreadPoolExecutor(_ASKED) as pool:
        list(pool.map(ask, range(_ASKED)))
    if not epochs:
        visit.findings.unknown("workers", "Nobody answered when asked over several connections at once.")
        return
    different = len(set(epochs))
    if different > 1 or (visit.look is not None and not visit.look.get("alone", True)):
        told = (
            f"{different} workers have a log of their own each"
            if different > 1
            else "Another process of this app runs with a log of its own"
        )
        visit.findings.fail(
            "workers",
            f"{told}: people on one do not see what happens on the other.",
            'Realtime(bus="redis://…"), with one name= and one secret= for all; or one worker:\n'
            "uvicorn without --workers; gunicorn -w 1; granian --workers 1; hypercorn --workers 0.",
        )
    else:
        shared = visit.look is not None and visit.look.get("shared")
        visit.findings.ok(
            "workers", "All workers share one log." if shared else f"{len(epochs)} connections at once met one log."
        )
    medians = [statistics.median(values) for values in clocks.values()]
    if medians and max(medians) - min(medians) > _SKEW:
        visit.findings.fail(
            "clocks",
            f"The clocks of two workers are {max(medians) - min(medians):.1f} s apart.",
            "Let their machines keep time by NTP.",
        )
