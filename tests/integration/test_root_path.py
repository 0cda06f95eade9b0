"""Apps that do not live at the root."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from servers import Server
from visitor import Visitor

from htmx_rt import protocol


@pytest.mark.parametrize(
    ("arguments", "root"),
    [(["board_app:outer"], "/boards"), (["board_app:outer", "--root-path", "/team"], "/team/boards")],
    ids=["mounted", "mounted below a root path"],
)
def test_a_mounted_app_finds_its_own_paths(
    spawn: Callable[..., Server], visit: Callable[..., Visitor], arguments: list[str], root: str
) -> None:
    # A proxy strips the root path of the server; a mount is part of the address.
    outside = "/boards"
    ada = visit(spawn(*arguments, "--port", "0").address(), prefix=outside + "/_rt")
    page = ada.get(outside + "/")
    config = json.loads(str(page.select("meta[name=htmx-rt]")[0]["content"]))
    script = str(page.select("script[src]")[-1]["src"])

    assert config["prefix"] == root + "/_rt"
    assert script.startswith(root + "/_rt/static/")
    assert ada.get(script.removeprefix(root.removesuffix(outside))).status == 200
    with ada.stream(page) as stream:
        ada.post(outside + "/publish", {"text": "hello"})
        assert "hello" in stream.event(protocol.OPS).data["ops"][0][2]


def test_a_server_below_a_root_path_finds_its_own_paths(
    spawn: Callable[..., Server], visit: Callable[..., Visitor]
) -> None:
    ada = visit(spawn("board_app:app", "--root-path", "/team", "--port", "0").address())
    page = ada.get("/")
    config = json.loads(str(page.select("meta[name=htmx-rt]")[0]["content"]))

    assert config["prefix"] == "/team/_rt"
    with ada.stream(page) as stream:
        ada.post("/publish", {"text": "hello"})
        assert "hello" in stream.event(protocol.OPS).data["ops"][0][2]
