from __future__ import annotations

import ast
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from htmx_rt import protocol

JS = Path(__file__).parents[1] / "js" / "src" / "protocol.js"


def python_names() -> dict[str, Any]:
    """Return every constant assigned in the file itself, so that none can be forgotten here."""
    tree = ast.parse(Path(protocol.__file__).read_text("utf-8"))
    names = [
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
    # As JSON sees them: JavaScript has no tuples.
    return {name: json.loads(json.dumps(getattr(protocol, name))) for name in names}


@pytest.fixture(scope="module")
def javascript() -> dict[str, Any]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node")
    script = f"import * as names from {json.dumps(JS.as_uri())}; console.log(JSON.stringify({{...names}}))"
    done = subprocess.run([node, "--input-type=module", "-e", script], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def test_every_name_of_python_is_the_same_in_javascript(javascript: dict[str, Any]) -> None:
    assert python_names()
    assert {name: javascript.get(name) for name in python_names()} == python_names()


def test_javascript_knows_no_other_names(javascript: dict[str, Any]) -> None:
    assert set(javascript) == set(python_names())


def test_every_problem_and_reason_that_the_server_writes_is_listed() -> None:
    written: set[str] = set()
    for path in Path(protocol.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refused":
                name = node.args[1]
                assert isinstance(name, ast.Constant)
                written.add(name.value)
    assert written
    assert written <= set(protocol.PROBLEMS)
