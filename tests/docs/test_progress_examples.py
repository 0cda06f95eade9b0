"""The example of docs/howto/progress.md, over HTTP."""

from __future__ import annotations

import asyncio
import json

import pytest

from htmx_rt.testing import Browser, Page, Stream, running

from .doc_kit import Load

pytestmark = pytest.mark.anyio


async def told(stream: Stream, *, title: str) -> dict[str, object]:
    """Return what the page is told last of one that ends."""
    async with asyncio.timeout(10):
        while True:
            call = (await stream.event("rt:call")).data
            if call["name"] == "progress" and call["args"]["title"] == title and call["args"]["state"] != "running":
                args: dict[str, object] = call["args"]
                return args


async def visit(app: object, path: str) -> tuple[Browser, Page]:
    ada = Browser(app)  # type: ignore[arg-type]
    ada.cookies["who"] = "ada"
    return ada, await ada.get(path)


async def test_an_import_is_seen_and_its_end_told(load: Load) -> None:
    module = load("progress/app.py")
    module.pause = 0
    async with running(module.app):
        ada, page = await visit(module.app, "/imports")
        async with ada.stream(page) as stream:
            await ada.post("/imports", {"rows": "Bell,4.50\nPump,19"}, page=page)
            assert (await told(stream, title="Importing prices"))["state"] == "done"
            await ada.post("/imports", {"rows": "Bell,4.50\nPump"}, page=page)
            assert (await told(stream, title="Importing prices"))["error"] == "Row 2 has no price."
        assert module.prices == {"Bell": 4.5, "Pump": 19.0}
        assert [task["data-state"] for task in (await ada.get("/imports")).select(".rt-task[data-task]")] == [
            "done",
            "failed",
        ]


async def test_stock_is_taken_in_a_thread_and_may_be_cancelled(load: Load) -> None:
    module = load("progress/app.py")
    async with running(module.app):
        ada, page = await visit(module.app, "/imports")
        async with ada.stream(page) as stream:
            taking = asyncio.create_task(ada.post("/stocktaking", page=page))
            async with asyncio.timeout(10):
                while (call := (await stream.event("rt:call")).data)["name"] != "progress":
                    pass
            body = json.dumps({"topic": "imports"}).encode()
            answer = await ada.request(
                "POST", f"/_rt/progress/{call['args']['id']}", body, headers={"content-type": "application/json"}
            )
            assert answer.status == 202
            assert (await told(stream, title="Taking stock"))["state"] == "cancelled"
            assert (await taking).status == 303


async def test_a_report_is_seen_on_ones_own_page(load: Load) -> None:
    module = load("progress/app.py")
    module.pause = 0
    async with running(module.app):
        ada, page = await visit(module.app, "/me")
        async with ada.stream(page) as stream:
            await ada.post("/reports", page=page)
            assert (await told(stream, title="Your report"))["by"] == "ada"


async def test_a_queue_s_worker_reports(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RT_BUS", "memory://")
    monkeypatch.setenv("RT_STORE", "memory://")
    module = load("progress/worker.py")
    await asyncio.to_thread(module.recount, 7, "ada")
    ((_, item),) = await module.rt.store.scan("progress:t/import:7/")
    assert json.loads(item.value)["state"] == "done"
