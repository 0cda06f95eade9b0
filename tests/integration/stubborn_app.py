"""The board, with an endless response of its own."""

import asyncio
from collections.abc import AsyncIterator

from board_app import app as app
from fastapi.responses import StreamingResponse


@app.get("/forever")
async def forever() -> StreamingResponse:
    """Never end."""

    async def chunks() -> AsyncIterator[str]:
        while True:
            yield "."
            await asyncio.sleep(3600)

    return StreamingResponse(chunks())
