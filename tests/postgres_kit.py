"""A real PostgreSQL server for the tests that want one, with everything it keeps in a folder of its own."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .redis_kit import free_port

TIMEOUT = 20.0  # seconds that the server may take to start


def program(name: str) -> str | None:
    """Return where a program of PostgreSQL is; Debian keeps them out of the way."""
    found = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))]
    return shutil.which(name) or (found[-1] if found else None)


@contextlib.contextmanager
def postgres_server() -> Iterator[str]:
    """Run a server; yields where asyncpg finds it, as `postgresql+asyncpg://…`. Skips, and says so, where there is none."""
    initdb, postgres = program("initdb"), program("postgres")
    if initdb is None or postgres is None:
        pytest.skip("POSTGRESQL IS MISSING, SO THIS PROVED NOTHING ABOUT IT. Run scripts/system.")
    folder = tempfile.mkdtemp(prefix="htmx-rt-postgres-")
    as_whom: dict[str, str] = {}
    if os.geteuid() == 0:  # it refuses to run as root
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("There is no user 'postgres', and POSTGRESQL DOES NOT RUN AS ROOT: this proved nothing.")
        shutil.chown(folder, "postgres")
        as_whom = {"user": "postgres"}
    port, data = free_port(), folder + "/data"
    server: subprocess.Popen[bytes] | None = None
    try:
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "cwd": "/"}
        subprocess.run(
            [initdb, "-D", data, "-U", "tests", "-A", "trust", "-E", "UTF8", "--no-sync"], check=True, timeout=60,
            stderr=subprocess.PIPE, **quiet, **as_whom,  # type: ignore[call-overload]
        )  # fmt: skip
        settings = ["fsync=off", "listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=50"]
        options = [option for setting in settings for option in ("-c", setting)]
        server = subprocess.Popen(
            [postgres, "-D", data, "-p", str(port), *options],
            stderr=subprocess.DEVNULL,
            **quiet,
            **as_whom,  # type: ignore[call-overload]
        )
        deadline = time.monotonic() + TIMEOUT
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert server is not None
            assert server.poll() is None, "postgres ended at once"
            assert time.monotonic() < deadline, "postgres does not answer"
            time.sleep(0.05)
        yield f"postgresql+asyncpg://tests@127.0.0.1:{port}/postgres"
    finally:
        if server is not None:
            server.kill()
            server.wait(TIMEOUT)
        shutil.rmtree(folder, ignore_errors=True)
