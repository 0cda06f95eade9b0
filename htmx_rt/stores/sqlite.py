"""The store in one file: SQLite in WAL mode behind one thread, shared by the workers of one machine.

Nothing committed is lost when the process dies; when the machine loses power, the last moments may be.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import Any, Final, NamedTuple, TypeVar

from ..exceptions import StoreUnavailable
from .base import Clock, Item, Store, after_prefix, conflict

_T = TypeVar("_T")
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS rt_items (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, rev INTEGER NOT NULL, expires REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS rt_items_expires ON rt_items (expires);
CREATE TABLE IF NOT EXISTS rt_fences (name TEXT PRIMARY KEY, number INTEGER NOT NULL, used REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS rt_fences_used ON rt_fences (used);
"""
BUSY: Final = 5.0  # seconds to wait for another process's transaction, off the event loop
WAITING: Final = 10_000  # calls that may wait for the thread
SWEEP: Final = 60.0  # seconds between removals of what has expired
SWEPT: Final = 10_000  # items removed at once
JOINED: Final = 64  # calls that share one transaction
FENCE_LIFE: Final = 30 * 24 * 3600.0  # seconds; a forgotten fence starts from the clock, which is above it


class Call(NamedTuple):
    """Something for the thread to do."""

    work: Callable[[sqlite3.Connection], Any]
    writes: bool
    future: Future[Any]
    deadline: float  # of the monotonic clock


class SqliteStore(Store):
    """Keeps items in the SQLite database at `path`, which is made at the first call."""

    survives = True

    def __init__(self, path: str, *, clock: Clock = time.time, busy: float = BUSY) -> None:
        super().__init__(clock=clock)
        self.path = path
        self._busy = busy
        self._thread: Worker | None = None

    async def start(self) -> None:
        self._worker()

    async def stop(self) -> None:
        worker, self._thread = self._thread, None
        if worker is not None and worker.process == os.getpid():
            await asyncio.get_running_loop().run_in_executor(None, worker.close)

    async def get(self, key: str) -> Item | None:
        self.check(key)
        return await self._do(lambda db: self._read(db, key), writes=False)

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
        self.check(key)

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
        self.check_scan(prefix, after, upto, limit)
        low, values = ("key > ?", [after]) if after and after >= prefix else ("key >= ?", [prefix])
        bound = after_prefix(prefix)
        for condition, value in (("key < ?", bound), ("key <= ?", upto)):
            if value is not None:
                low, values = f"{low} AND {condition}", [*values, value]

        def work(db: sqlite3.Connection) -> list[tuple[str, Item]]:
            # "+expires" keeps SQLite on the order of the keys.
            rows = db.execute(
                f"SELECT key, value, rev, expires FROM rt_items WHERE {low} AND +expires > ? ORDER BY key LIMIT ?",
                (*values, self.clock(), limit),
            )
            return [(key, Item(value, rev, expires)) for key, value, rev, expires in rows]

        return await self._do(work, writes=False)

    async def fence(self, name: str) -> int:
        self.check(name)

        def work(db: sqlite3.Connection) -> int:
            now = self.clock()
            row = db.execute(
                "INSERT INTO rt_fences VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
                "number = max(number + 1, excluded.number), used = excluded.used RETURNING number",
                (name, round(now * 1000), now),
            ).fetchone()
            return int(row[0])

        return await self._do(work)

    def _read(self, db: sqlite3.Connection, key: str) -> Item | None:
        row = db.execute(
            "SELECT value, rev, expires FROM rt_items WHERE key = ? AND expires > ?", (key, self.clock())
        ).fetchone()
        return Item(*row) if row else None

    def _worker(self) -> Worker:
        if self._thread is None or self._thread.process != os.getpid():  # threads do not survive a fork
            self._thread = Worker(self.path, busy=self._busy, clock=self.clock)
        return self._thread

    async def _do(self, work: Callable[[sqlite3.Connection], _T], *, writes: bool = True) -> _T:
        return await asyncio.wrap_future(self._worker().submit(work, writes=writes))


class Worker:
    """The one thread of this process that has the file open."""

    def __init__(self, path: str, *, busy: float, clock: Clock) -> None:
        self.process = os.getpid()
        self._path = path
        self._busy = busy
        self._clock = clock
        self._queue: queue.SimpleQueue[Call | None] = queue.SimpleQueue()  # wakes sooner than a Queue
        self._held: Call | None = None  # taken from the queue, for the next transaction
        self._swept = 0.0
        self._thread = threading.Thread(target=self._run, name="htmx-rt-sqlite", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[sqlite3.Connection], _T], *, writes: bool) -> Future[_T]:
        """Have `work` done in a transaction. Raised where too much waits: `StoreUnavailable`."""
        future: Future[_T] = Future()
        if self._queue.qsize() >= WAITING:
            raise StoreUnavailable(f"{WAITING} calls wait for {self._path!r} already.")
        self._queue.put(Call(work, writes, future, time.monotonic() + self._busy))
        return future

    def close(self) -> None:
        """Do what waits, then close the file and end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        db: sqlite3.Connection | None = None
        ending = False
        while not ending:
            batch, ending = self._batch()
            late = [call for call in batch if call.deadline < time.monotonic()]
            batch = [call for call in batch if call not in late]
            self._fail(late, "it is busy")
            try:
                if batch:
                    # Nobody waits longer than promised, however many stand before them.
                    patience = max(0.0, min(call.deadline for call in batch) - time.monotonic())
                    db = db or self._open(patience)
                    db.execute(f"PRAGMA busy_timeout = {round(patience * 1000)}")
                    self._transact(db, batch)
            except Exception as error:
                # Disk full, locked too long, not a database: whoever waits is told, and the file is opened anew.
                self._fail(batch, error)
                if db is not None:
                    with contextlib.suppress(sqlite3.Error):
                        db.close()
                    db = None
        if db is not None:
            db.close()

    def _batch(self) -> tuple[list[Call], bool]:
        """Wait for calls and return them, and whether they are the last; what waits meanwhile shares a transaction."""
        batch: list[Call] = []
        call, self._held = self._held or self._queue.get(), None
        while call is not None:
            if batch and call.writes != batch[0].writes:  # what only reads needs no lock, and is not to wait for one
                self._held = call
                return batch, False
            batch.append(call)
            if len(batch) == JOINED:
                return batch, False
            try:
                call = self._queue.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _fail(self, batch: list[Call], error: object) -> None:
        for call in batch:
            with contextlib.suppress(InvalidStateError):  # told already, or given up
                call.future.set_exception(StoreUnavailable(f"{self._path!r} cannot be used: {error}."))

    def _open(self, patience: float) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=patience, isolation_level=None)
        until = time.monotonic() + patience
        while True:
            try:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = NORMAL")
                db.executescript(_SCHEMA)
                return db
            except sqlite3.OperationalError as error:
                # Two processes that make the file at once are told "locked" without waiting.
                if "locked" not in str(error) or time.monotonic() > until:
                    db.close()
                    raise
                time.sleep(0.01)
            except BaseException:
                db.close()
                raise

    def _transact(self, db: sqlite3.Connection, batch: list[Call]) -> None:
        results: list[tuple[Future[Any], Any, BaseException | None]] = []
        writes = batch[0].writes
        db.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
        try:
            if writes:
                self._sweep(db)
            for call in batch:
                if not call.future.set_running_or_notify_cancel():
                    continue
                try:
                    results.append((call.future, call.work(db), None))
                except sqlite3.Error:
                    raise
                except Exception as error:
                    results.append((call.future, None, error))
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

    def _sweep(self, db: sqlite3.Connection) -> None:
        now = self._clock()
        if now - self._swept > SWEEP:
            swept = db.execute(
                "DELETE FROM rt_items WHERE key IN (SELECT key FROM rt_items WHERE expires <= ? LIMIT ?)", (now, SWEPT)
            ).rowcount
            db.execute("DELETE FROM rt_fences WHERE used < ?", (now - FENCE_LIFE,))
            self._swept = now if swept < SWEPT else self._swept
