import pytest
from app import app

from htmx_rt.testing import Browser, running

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


async def test_everybody_sees_a_new_note():
    async with running(app), Browser(app) as ada, Browser(app) as grace:
        hers, theirs = await ada.get("/"), await grace.get("/")
        async with grace.stream(theirs) as stream:
            await ada.post("/notes", {"text": "Call the printer"}, page=hers)
            note = await stream.fragment("li:-soup-contains('Call the printer')")
            assert note["id"].startswith("note-")


async def test_what_was_missed_comes_after_a_break():
    async with running(app), Browser(app) as ada:
        page = await ada.get("/")
        async with ada.stream(page) as stream:
            cursor, grants = await stream.checkpoint(), stream.hello["grants"]
        await ada.post("/notes", {"text": "While you were away"}, page=page)
        async with ada.stream(page, cursor=cursor, grants=grants) as stream:
            assert await stream.fragment("li:-soup-contains('While you were away')")
