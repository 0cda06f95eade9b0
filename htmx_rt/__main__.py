"""`python -m htmx_rt COMMAND`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from . import doctor


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m htmx_rt", description="htmx-rt's commands.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    one = commands.add_parser("doctor", help="look at a running site, or at an app", description=doctor.__doc__)
    doctor.add_arguments(one)
    one.set_defaults(run=doctor.run)
    options = parser.parse_args(arguments)
    code: int = options.run(options)
    return code


if __name__ == "__main__":
    sys.exit(main())
