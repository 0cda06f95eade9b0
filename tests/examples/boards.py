"""The examples' modules, imported afresh."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

EXAMPLES = Path(__file__).parents[2] / "examples"
FOLDERS = (EXAMPLES / "flask_async", EXAMPLES / "fastapi")


@contextmanager
def imported(name: str, folder: Path) -> Iterator[ModuleType]:
    """Import an example's module, with a database of its own in `folder`."""
    modules = [file.stem for example in FOLDERS for file in example.glob("*.py")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOARD_DB", str(folder / "board.db"))
        patch.setenv("BOARD_SECRET", "a secret of thirty-two bytes or more")
        for example in FOLDERS:
            patch.syspath_prepend(str(example))
        for module in modules:
            patch.delitem(sys.modules, module, raising=False)
        yield importlib.import_module(name)
        for module in modules:
            sys.modules.pop(module, None)


def open_board() -> None:
    """Do what each worker does when it starts."""
    models = sys.modules["models"]
    engine = create_engine(f"sqlite:///{models.PATH}")
    with Session(engine) as db:
        models.start(db)
    engine.dispose()
