"""What starts a board, whatever its framework: an address, a secret, a server."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
from pathlib import Path

import uvicorn

HERE = Path(__file__).parent


def secret() -> str:
    """Return the secret of this machine's demo, made at the first start, so that a restart signs nobody out."""
    path = HERE / ".secret"
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
    except FileExistsError:
        pass
    return path.read_text()


def again_or_end(*_: object) -> None:
    """Run once more, as another version, where the demo was told to deploy; end otherwise."""
    if os.environ.pop("BOARD_DEPLOYING", ""):
        os.execv(sys.executable, [sys.executable, *sys.argv])
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.raise_signal(signal.SIGTERM)


def serve(app: str) -> None:
    """Serve `app`, such as "app:app", until it is told to stop."""
    host, port = os.environ.get("HOST") or "127.0.0.1", os.environ.get("PORT") or "8000"
    if "BOARD_SECRET" not in os.environ:
        os.environ["BOARD_SECRET"] = secret()
    sys.path.insert(0, str(HERE.parents[1]))  # the htmx_rt of this checkout, installed or not
    try:
        listener = socket.create_server((host, int(port)))
    except (OSError, OverflowError, ValueError) as error:
        sys.exit(f"Port {port} of {host} cannot be used: {error}. Choose another one, such as PORT=8001.")
    print(f"The board is at http://{host}:{listener.getsockname()[1]} (Ctrl+C stops it)", flush=True)
    os.environ["BOARD_DEPLOYS"] = "1"
    signal.signal(signal.SIGTERM, again_or_end)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=5)).run(sockets=[listener])
