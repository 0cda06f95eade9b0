"""The store in one file: SQLite in WAL mode behind one writer thread, shared by the workers of one machine."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from ..exceptions import StoreUnavailable
from .base import Clock, Item, Store, after_prefix, conflict

_T = TypeVar("_T")
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS rt_items (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, rev INTEGER NOT NULL, expires REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS rt_items_expires ON rt_items (expires);
CREATE TABLE IF NOT EXISTS rt_fences (name TEXT PRIMARY KEY, number INTEGER NOT NULL, used REAL NOT NULL) WITHOUT ROWID;
"""
BUSY: Final = 5.0  # seconds to wait for another process's transaction, off the event loop
WAITING: Final = 10_000  # calls that may wait for the thread
SWEEP: Final = 60.0  # seconds between removals of what has expired
JOINED: Final = 64  # calls that share one transaction
FENCE_LIFE: Final = 30 * 24 * 3600.0  # seconds; a forgotten fence starts from the clock, which is above it

Work = Callable[[sqlite3.Connection], Any]


class SqliteStore(Store):
    """Keeps items in the SQLite database at `path`, which is made at the first `start`."""

    survives = True

    def __init__(self, path: str, *, clock: Clock = time.time, busy: float = BUSY) -> None:
        super().__init__(clock=clock)
        self.path = path
        self._busy = busy
        self._queue: queue.Queue[tuple[Work, Future[Any]] | None] = queue.Queue(WAITING)
        self._thread: threading.Thread | None = None
        self._swept = 0.0

    async def start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="htmx-rt-sqlite", daemon=True)
            self._thread.start()

    async def stop(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None and thread.is_alive():
            self._queue.put(None)
            await asyncio.get_running_loop().run_in_executor(None, thread.join)

    async def get(self, key: str) -> Item | None:
        return await self._do(lambda db: self._read(db, key))

    async def put(self, key: str, value: bytes, *, ttl: float, rev: int | None = None) -> int:
        self.check(key, value, ttl)

        def work(db: sqlite3.Connection) -> int:
            present = self._read(db, key)
            now = present.rev if present else 0
            if rev is not None and rev != now:
                raise conflict(key, rev, present)
            db.execute("INSERT OR REPLACE INTO rt_items VALUES (?, ?, ?, ?)", (key, value, now + 1, self.clock() + ttl))
            return now + 1

        return await self._do(work)

    async def delete(self, key: str, *, rev: int | None = None) -> bool:
        def work(db: sqlite3.Connection) -> bool:
            present = self._read(db, key)
            if rev is not None and rev != (present.rev if present else 0):
                raise conflict(key, rev, present)
            db.execute("DELETE FROM rt_items WHERE key = ?", (key,))
            return present is not None

        return await self._do(work)

    async def scan(
        self, prefix: str, *, after: str = "", upto: str | None = None, limit: int = 100
    ) -> list[tuple[str, Item]]:
        last = min(upto, after_prefix(prefix)) if upto is not None else after_prefix(prefix)

        def work(db: sqlite3.Connection) -> list[tuple[str, Item]]:
            rows = db.execute(
                "SELECT key, value, rev, expires FROM rt_items WHERE key >= ? AND key > ? AND key <= ? AND expires > ? "
                "ORDER BY key LIMIT ?",
                (prefix, after, last, self.clock(), limit),
            )
            return [(key, Item(value, rev, expires)) for key, value, rev, expires in rows]

        return await self._do(work)

    async def fence(self, name: str) -> int:
        self.check(name)

        def work(db: sqlite3.Connection) -> int:
            now = self.clock()
            row = db.execute(
                "INSERT INTO rt_fences VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
                "number = max(number + 1, excluded.number), used = excluded.used RETURNING number",
                (name, int(now * 1000), now),
            ).fetchone()
            return int(row[0])

        return await self._do(work)

    # The thread

    async def _do(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        if self._thread is None:
            await self.start()
        future: Future[_T] = Future()
        try:
            self._queue.put_nowait((work, future))
        except queue.Full:
            raise StoreUnavailable(f"{WAITING} calls wait for {self.path!r} already.") from None
        return await asyncio.wrap_future(future)

    def _read(self, db: sqlite3.Connection, key: str) -> Item | None:
        row = db.execute(
            "SELECT value, rev, expires FROM rt_items WHERE key = ? AND expires > ?", (key, self.clock())
        ).fetchone()
        return Item(*row) if row else None

    def _run(self) -> None:
        db: sqlite3.Connection | None = None
        ending = False
        while not ending:
            batch: list[tuple[Work, Future[Any]]] = []
            item = self._queue.get()
            # What waits meanwhile shares the transaction, and so the flush to disk.
            while item is not None:
                batch.append(item)
                if len(batch) == JOINED:
                    break
                try:
                    item = self._queue.get_nowait()
                except queue.Empty:
                    break
            ending = item is None
            try:
                if db is None:
                    db = self._open()
                self._transact(db, batch)
            except (sqlite3.Error, OSError) as error:
                # Disk full, locked too long, not a database: whoever waits is told, and the file is opened anew.
                for _, future in batch:
                    if not future.done():
                        future.set_exception(StoreUnavailable(f"{self.path!r} cannot be used: {error}."))
                if db is not None:
                    with contextlib.suppress(sqlite3.Error):
                        db.close()
                    db = None
        if db is not None:
            db.close()

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=self._busy, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.executescript(_SCHEMA)
        except sqlite3.Error:
            db.close()
            raise
        return db

    def _transact(self, db: sqlite3.Connection, batch: list[tuple[Work, Future[Any]]]) -> None:
        results: list[tuple[Future[Any], Any, BaseException | None]] = []
        db.execute("BEGIN IMMEDIATE")
        try:
            now = self.clock()
            if now - self._swept > SWEEP:
                self._swept = now
                db.execute(
                    "DELETE FROM rt_items WHERE key IN (SELECT key FROM rt_items WHERE expires <= ? LIMIT 10000)",
                    (now,),
                )
                db.execute("DELETE FROM rt_fences WHERE used < ?", (now - FENCE_LIFE,))
            for work, future in batch:
                if not future.set_running_or_notify_cancel():
                    continue
                try:
                    results.append((future, work(db), None))
                except sqlite3.Error:
                    raise
                except Exception as error:
                    results.append((future, None, error))
            db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise
        # Told only now: a result before the commit could be taken back.
        for future, value, failure in results:
            if failure is not None:
                future.set_exception(failure)
            else:
                future.set_result(value)
