"""The examples of the documentation, loaded as a reader would run them."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from pathlib import Path
from types import ModuleType

import pytest

from .doc_kit import EXAMPLES, Load

_numbers = itertools.count(1)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Load:
    """Import one example afresh, from its own folder and with secrets of its own."""

    def load(path: str) -> ModuleType:
        file = EXAMPLES / path
        monkeypatch.chdir(file.parent)
        monkeypatch.setenv("RT_SECRET", "a-secret-of-32-bytes-or-more-for-tests")
        monkeypatch.setenv("SESSION_SECRET", "another-secret-for-sessions")
        monkeypatch.setenv("RT_STORE", "memory://")
        monkeypatch.setenv("RT_UPLOADS", str(tmp_path / "uploads"))
        monkeypatch.setenv("PICTURES", str(tmp_path / "pictures"))
        monkeypatch.setenv("DATABASE", str(tmp_path / "docs.db"))
        name = f"docs_example_{next(_numbers)}"
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)  # Flask and dataclasses look themselves up
        spec.loader.exec_module(module)
        return module

    return load
