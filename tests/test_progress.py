"""What takes long: everybody sees how far it is, the last word always arrives, and whoever works may go on as they like."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from htmx_rt.exceptions import Cancelled, RealtimeError, TooLarge
from htmx_rt.progress import Progress

from .desk import store as store
from .kit import opened, running
from .progress_kit import Depot, ended, tasks, toast, told

pytestmark = pytest.mark.anyio


async def test_everybody_sees_how_far_it_is_and_how_it_ended(store) -> None:
    depot = Depot(store)
    go = asyncio.Event()

    async def work(p: Progress) -> None:
        p.update(done=40, step="Reading rows")
        await go.wait()

    depot.work = work
    async with running(depot.app):
        ada, page = await opened(depot, "/import")
        grace, hers = await opened(depot, "/import", who="grace")
        async with ada.stream(page) as first, grace.stream(hers) as second:
            task = asyncio.create_task(ada.post("/import", page=page))
            for stream in (first, second):
                seen = await told(stream, lambda args: args["done"] == 40)
                assert (seen[-1]["title"], seen[-1]["percent"], seen[-1]["step"]) == ("Importing prices", 40, "Reading rows")
            late = await grace.get("/import")
            (shown,) = tasks(late)
            assert shown.select("progress")[0]["value"] == "40"
            assert "by ada" in shown.text
            assert "Reading rows" in shown.text
            go.set()
            assert (await task).text == "done"
            seen = await told(second, ended)
            assert (seen[-1]["state"], seen[-1]["percent"]) == ("done", 100)
            args = await toast(first)
            assert (args["text"], args["level"], args["key"]) == (
                "Importing prices: done", "success", f"progress:{seen[-1]['id']}",
            )  # fmt: skip
        assert await depot.left() == []
        (record,) = await depot.records()
        assert (record["state"], record["done"]) == ("done", 100)
