"""`python -m htmx_rt doctor`: open a page as a browser would, and tell what its streams will suffer from."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import Final

from ..exceptions import ConfigurationError
from ..signing import Signer
from .apps import NoApp, load, see_app
from .findings import Findings, as_json, as_text
from .inside import see_inside
from .outside import Visit, see_cookie, see_files, see_http, see_page, see_prefix, see_trip
from .streams import open_stream, see_clock, see_ticks, see_workers
from .upgrade import see_socket
from .wire import Client

_AFTER: Final = 3.0  # seconds to listen after a sign of life was due
_EPILOG: Final = """\
doctor http://127.0.0.1:8000/board   a running site, as browsers see it: through its proxies
doctor app:app                       an app, without a server
doctor https://board.example --app app:app   both: the app's secret lets the worker say how it is set up

Exit code: 0 all is well, 1 there are warnings, 2 there are problems."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("target", help="address of a page, or module:app")
    parser.add_argument("--app", metavar="MODULE:APP", help="the app at that address: look at it, and use its secret")
    parser.add_argument(
        "--cookie",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="send a cookie, such as that of a login; may be repeated",
    )
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        metavar="NAME: VALUE",
        help="send a header with every request; may be repeated",
    )
    parser.add_argument(
        "--secret-env", default="RT_SECRET", metavar="NAME", help="variable that holds the app's secret (RT_SECRET)"
    )
    parser.add_argument("--prefix", help="of the kit's addresses, where the page does not say it")
    parser.add_argument(
        "--seconds", type=float, help="how long to listen to the stream (until after its first sign of life, about 18)"
    )
    parser.add_argument("--quick", action="store_true", help="do not wait for a sign of life")
    parser.add_argument("--insecure", action="store_true", help="accept any certificate")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Examine, print, and return the exit code."""
    findings = Findings()
    address = options.target if "://" in options.target else ""
    signer: Callable[[str], Signer | None] = lambda name: _signer(os.environ.get(options.secret_env, ""), name)  # noqa: E731
    named = options.app or ("" if address else options.target)
    if named:
        try:
            app, found = load(named)
        except NoApp as error:
            findings.fail(
                "app", str(error), "Run it where the app can be imported: module:name, as the server gets it."
            )
        else:
            see_app(app, found, findings)
            if found:
                signer = lambda name: next((rt.signer for rt in found if rt.name == name), found[0].signer)  # noqa: E731
    if address:
        examine(_client(options, address), findings, options, signer)
    sys.stdout.write(as_json(options.target, findings) if options.json else as_text(findings))
    if not options.json:
        sys.stdout.write(_summary(findings))
    return findings.code


def examine(
    client: Client, findings: Findings, options: argparse.Namespace, signer: Callable[[str], Signer | None]
) -> None:
    """Look at a running site."""
    visit = Visit(client, findings)
    if not see_page(visit, options.prefix) or not see_prefix(visit):
        return
    see_files(visit)
    see_cookie(visit)
    see_trip(visit)
    watch = open_stream(visit)
    if watch is not None:
        seconds = options.seconds or (0.0 if options.quick else visit.heartbeat + _AFTER)
        watch.begin(watch.pieces.asked + seconds)
    see_clock(visit)
    word = _word(visit, signer)
    see_ticks(visit, word)
    see_workers(visit)
    see_socket(visit)
    see_http(visit)
    see_inside(visit, asked=bool(word))
    if watch is not None:
        watch.done()


def _word(visit: Visit, signer: Callable[[str], Signer | None]) -> str:
    """Return what makes the worker tell how it is set up, or "" without its secret."""
    signs = signer(str((visit.page.config or {}).get("name") or "app"))
    return signs.dumps("doctor", round(time.time() + (visit.skew or 0))) if signs is not None else ""


def _signer(secret: str, name: str) -> Signer | None:
    for value in (secret.split(), secret):  # several, the newest first, or one with spaces in it
        try:
            return Signer(value, name=name)
        except ConfigurationError:
            pass
    return None


def _client(options: argparse.Namespace, address: str) -> Client:
    client = Client(address, verify=not options.insecure)
    client.headers = {name.strip(): value.strip() for name, _, value in (one.partition(":") for one in options.header)}
    for one in options.cookie:
        name, _, value = one.partition("=")
        client.cookies[name.strip()] = value.strip()
    return client


def _summary(findings: Findings) -> str:
    counts = {level: sum(finding.level == level for finding in findings) for level in ("problem", "warning")}
    if not findings.code:
        return "All is well.\n"
    told = [f"{count} {level}{'' if count == 1 else 's'}" for level, count in counts.items() if count]
    return " and ".join(told) + ".\n"
