"""A pytest plugin: wraps every app that a `TestClient` is given, and writes down the outcome of every test.

Loaded into the run of somebody else's suite with `-p wrapping`; `RT_WRAP` says whether to wrap, `RT_OUTCOMES` where
to write.
"""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import Any

import pytest
from starlette import testclient

from htmx_rt import Realtime, RealtimeMiddleware

_outcomes: dict[str, str] = {}
_wrapped = 0


def pytest_configure() -> None:
    if os.environ["RT_WRAP"] == "1":
        _wrap(testclient.TestClient)


def _wrap(client: type[testclient.TestClient]) -> None:
    plain = client.__init__

    @functools.wraps(plain)
    def init(self: testclient.TestClient, app: Any, *args: Any, **options: Any) -> None:
        global _wrapped
        _wrapped += 1
        # The client tells ASGI 2 from 3 by the app it is given, which the middleware would hide.
        inner = app if testclient._is_asgi3(app) else testclient._WrapASGI2(app)
        rt = Realtime(secret="a secret of thirty-two bytes or more", identify=lambda request: "ada")
        plain(self, RealtimeMiddleware(inner, rt=rt), *args, **options)

    client.__init__ = init  # type: ignore[method-assign]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    # The worst of set-up, call and tear-down counts; an expected failure is reported as skipped.
    if report.when == "call" or report.outcome != "passed":
        _outcomes[report.nodeid] = report.outcome


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        _outcomes[report.nodeid] = "not collected"


def pytest_sessionfinish() -> None:
    Path(os.environ["RT_OUTCOMES"]).write_text(json.dumps({"wrapped": _wrapped, "outcomes": _outcomes}))
