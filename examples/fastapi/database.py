"""The board's file, for async apps."""

from __future__ import annotations

from collections.abc import AsyncIterator

from models import PATH, start
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

engine = create_async_engine(f"sqlite+aiosqlite:///{PATH}")
Session = async_sessionmaker(engine, expire_on_commit=False)


async def session() -> AsyncIterator[AsyncSession]:
    async with Session() as db:
        yield db


async def open_board() -> None:
    """Create the file and, once, a board to look at."""
    async with Session() as db:
        await db.run_sync(start)
