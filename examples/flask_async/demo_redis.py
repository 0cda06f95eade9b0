"""One board on two frameworks: a FastAPI and a Flask worker behind nginx, over Redis. `make demo-redis` starts it.

Honours PORT, HOST and BOARD_DB, and FRAMEWORK (flask or quart) for the second worker. Everything it starts, and
nothing else, ends with it; so does the whole when one of its parts has ended.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
BOARD = HERE.parent / "fastapi"
PROGRAMS = {"redis-server": "redis", "nginx": "nginx"}  # the program, and its formula in Homebrew
PATIENCE = 20.0  # seconds until everything must be up


def main() -> None:
    found, framework = programs(), second()
    host, port = os.environ.get("HOST") or "127.0.0.1", os.environ.get("PORT") or "8000"
    try:
        socket.create_server((host, int(port))).close()
    except (OSError, OverflowError, ValueError) as error:
        sys.exit(f"Port {port} of {host} cannot be used: {error}. Choose another one, such as PORT=8001.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    processes: dict[str, subprocess.Popen[bytes]] = {}
    with tempfile.TemporaryDirectory(prefix="board-") as folder:
        try:
            start(processes, found, Path(folder), host, port)
            print(
                f"The board is at http://{host}:{port} (Ctrl+C stops it). It runs on FastAPI and on "
                f"{framework.capitalize()} behind nginx, over Redis; the header X-Worker says which of them answered.",
                flush=True,
            )
            while (ended := first_ended(processes)) is None:
                time.sleep(0.2)
            sys.exit(f"{ended} has ended, so the others end too.")
        except KeyboardInterrupt:
            pass
        finally:
            stop(processes)


def programs() -> dict[str, str]:
    """Return where the programs are. Exits with words where some are missing."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    found = {name: shutil.which(name, path=path) for name in PROGRAMS}
    if missing := [name for name, place in found.items() if place is None]:
        sys.exit(
            f"The demo needs {' and '.join(missing)}, and cannot find {'it' if len(missing) == 1 else 'them'}.\n"
            f"Debian, Ubuntu: sudo apt-get install {' '.join(missing)}\n"
            f"macOS:          brew install {' '.join(PROGRAMS[name] for name in missing)}\n"
            "Without them, `make demo` shows the same board on one worker."
        )
    return {name: str(place) for name, place in found.items()}


def second() -> str:
    """Return the framework of the second worker."""
    framework = os.environ.get("FRAMEWORK") or "flask"
    return framework if framework in ("flask", "quart") else sys.exit(f"FRAMEWORK={framework}: use flask or quart.")


def start(
    processes: dict[str, subprocess.Popen[bytes]], found: dict[str, str], folder: Path, host: str, port: str
) -> None:
    """Start the four, and return when they take connections."""
    redis, first, other = (free_port() for _ in range(3))
    sys.path.insert(0, str(BOARD))
    from serve import secret

    env = os.environ | {
        "RT_BUS": f"redis://127.0.0.1:{redis}",
        "RT_STORE": f"redis://127.0.0.1:{redis}",
        "BOARD_SECRET": os.environ.get("BOARD_SECRET") or secret(),
        "HOST": "127.0.0.1",
        "FRAMEWORK": second(),
    }
    conf = (HERE / "nginx.conf").read_text().replace("listen 127.0.0.1:8000", f"listen {host}:{port}")
    conf = conf.replace("127.0.0.1:8001", f"127.0.0.1:{first}").replace("127.0.0.1:8002", f"127.0.0.1:{other}")
    (folder / "nginx.conf").write_text(conf)

    def run(name: str, *command: str | Path, **more: str) -> None:
        # In a group of its own, so that Ctrl+C comes to us alone and the end has an order.
        processes[name] = subprocess.Popen(
            [str(part) for part in command],
            env=env | more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    run(
        "redis-server",
        found["redis-server"],
        "--port",
        str(redis),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        folder,
    )
    wait(processes, "127.0.0.1", redis)
    run("The FastAPI worker", sys.executable, BOARD / "run.py", PORT=str(first))
    run(f"The {second().capitalize()} worker", sys.executable, HERE / "run.py", PORT=str(other))
    wait(processes, "127.0.0.1", first, other)
    run("nginx", found["nginx"], "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr")
    wait(processes, host, int(port))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def wait(processes: dict[str, subprocess.Popen[bytes]], host: str, *ports: int) -> None:
    """Wait until somebody takes connections on each of `ports`."""
    deadline = time.monotonic() + PATIENCE
    for port in ports:
        while True:
            try:
                socket.create_connection((host, port), timeout=1).close()
                break
            except OSError:
                if (ended := first_ended(processes)) is not None or time.monotonic() > deadline:
                    sys.exit(f"{ended or 'A part of the demo'} did not start; see above.")
                time.sleep(0.05)


def first_ended(processes: dict[str, subprocess.Popen[bytes]]) -> str | None:
    return next((name for name, process in processes.items() if process.poll() is not None), None)


def stop(processes: dict[str, subprocess.Popen[bytes]]) -> None:
    """End what was started, the newest first, each by its own id."""
    for process in reversed(processes.values()):
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
