"""Start the board: `python examples/fastapi/run.py`. Honours PORT, HOST, BOARD_DB, RT_BUS and RT_STORE."""

from __future__ import annotations

from serve import serve

if __name__ == "__main__":
    serve("app:app")
