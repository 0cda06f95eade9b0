"""Start the board on Quart or Flask: `python examples/flask_async/run.py`.

Honours FRAMEWORK (quart or flask), PORT, HOST, BOARD_DB, RT_BUS and RT_STORE. With RT_BUS=redis://… it shares one
board with whatever else runs on the same Redis, the same files and the same secret, examples/fastapi among them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

BOARD = Path(__file__).parents[1] / "fastapi"
FRAMEWORKS = ("quart", "flask")


def main() -> None:
    framework = os.environ.get("FRAMEWORK") or "quart"
    if framework not in FRAMEWORKS:
        sys.exit(f"FRAMEWORK={framework} is none of: {', '.join(FRAMEWORKS)}.")
    sys.path.insert(1, str(BOARD))  # models, forms, people and the secret are those of the FastAPI board
    from serve import serve

    serve(f"{framework}_app:asgi")


if __name__ == "__main__":
    main()
