"""The servers that people run apps with, each as docs/howto/deploy.md says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from servers import STARTED, Server

from tests.cluster import free_port, listening

_LISTENS = re.compile(r"[Ll]istening at: (http://[\d.]+:\d+)")


@dataclass(frozen=True)
class Kind:
    """A server with its flags; `{port}` is a free one."""

    module: str
    flags: str  # that the documentation names
    more: str  # of the tests
    listens: re.Pattern[str] = STARTED
    ready: re.Pattern[str] | None = None
    needs: tuple[str, ...] = ()

    def start(self, app: str, env: Mapping[str, str], *, flags: str | None = None) -> tuple[Server, str]:
        """Run it; return it and its address. Raised where it is not installed: `AssertionError`."""
        for name in (self.module, *self.needs):
            assert find_spec(name), f"{name} IS MISSING, so nothing is known of it: pip install --group dev ."
        line = f"{self.more} {self.flags if flags is None else flags} {app}"
        server = Server(*line.format(port=free_port()).split(), module=self.module, env=dict(env))
        try:
            address = server.line(self.listens, within=30)[1]
            if self.ready is not None:
                server.line(self.ready, within=30)
            listening(int(address.rpartition(":")[2]), server)  # which some are only after they have said so
        except BaseException:
            server.__exit__(None, None, None)
            raise
        return server, address


_UP = re.compile("Application startup complete")
KINDS = {
    "uvicorn": Kind("uvicorn", "--timeout-graceful-shutdown 5", "--port 0", ready=_UP),
    "uvicorn h11": Kind("uvicorn", "--timeout-graceful-shutdown 5", "--port 0 --http h11 --loop asyncio", ready=_UP),
    "hypercorn": Kind("hypercorn", "--workers 0", "--bind 127.0.0.1:0"),
    "granian": Kind(
        "granian", "--interface asgi --backpressure 11000", "--host 127.0.0.1 --port {port}", _LISTENS, re.compile("Started worker")
    ),
    "gunicorn": Kind(
        "gunicorn", "-k uvicorn_worker.UvicornWorker --graceful-timeout 5", "-b 127.0.0.1:0", _LISTENS, _UP, ("uvicorn_worker",)
    ),
}  # fmt: skip
