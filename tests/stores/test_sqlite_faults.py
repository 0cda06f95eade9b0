"""SQLite on a full disk, locked by another process, in a file that is none, and after a fork."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from htmx_rt.exceptions import StoreUnavailable
from htmx_rt.stores.sqlite import SqliteStore

pytestmark = pytest.mark.anyio

FULL = """
import asyncio, os, sqlite3, sys
from htmx_rt.exceptions import StoreUnavailable
from htmx_rt.stores.sqlite import SqliteStore

async def main(folder):
    with open(folder + "/filler", "wb") as filler:
        filler.write(bytes(256 * 1024))
    store = SqliteStore(folder + "/rt.db")
    kept, refused = [], 0
    for number in range(400):
        try:
            await store.put(f"k{number:03}", bytes([number % 256]) * 3000, ttl=600)
            kept.append(number)
        except StoreUnavailable as error:
            assert "full" in str(error) or "cannot be used" in str(error), error
            refused += 1
    assert kept and refused, (len(kept), refused)
    # Nothing that was acknowledged is lost, nothing that was refused is there.
    found = await store.scan("k", limit=1000)
    assert [key for key, _ in found] == [f"k{number:03}" for number in kept]
    os.remove(folder + "/filler")
    assert await store.put("after", b"x", ttl=600) == 1
    await store.stop()
    check = sqlite3.connect(folder + "/rt.db").execute("PRAGMA integrity_check").fetchone()
    assert check == ("ok",), check
    print(len(kept), refused)

asyncio.run(main(sys.argv[1]))
"""


def test_a_full_disk_refuses_what_does_not_fit_and_keeps_the_rest(tmp_path: Path) -> None:
    """On a file system of 768 KiB, in a mount namespace of its own."""
    if shutil.which("unshare") is None:
        pytest.fail("unshare(1) of util-linux is missing, which makes the small file system.")
    rights = [] if os.geteuid() == 0 else ["--map-root-user"]
    script = 'mount -t tmpfs -o size=768k tmpfs "$1" && exec "$2" -c "$3" "$1"'
    done = subprocess.run(
        ["unshare", "--mount", *rights, "sh", "-c", script, "sh", str(tmp_path), sys.executable, FULL],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    kept, refused = map(int, done.stdout.split())
    print(f"{kept} kept, {refused} refused")


async def test_a_lock_held_elsewhere_holds_up_neither_the_loop_nor_readers_for_ever(tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path / "rt.db"), busy=0.5)
    await store.put("a", b"1", ttl=60)
    other = sqlite3.connect(tmp_path / "rt.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    worst, ending = 0.0, asyncio.Event()

    async def watch() -> None:
        nonlocal worst
        while not ending.is_set():
            before = time.monotonic()
            await asyncio.sleep(0.01)
            worst = max(worst, time.monotonic() - before)

    watcher = asyncio.create_task(watch())
    start = time.monotonic()
    item = await store.get("a")
    assert item is not None  # readers of a WAL database wait for nobody
    assert time.monotonic() - start < 0.3
    puts = [asyncio.create_task(store.put(f"k{number}", b"x", ttl=60)) for number in range(300)]
    results = await asyncio.gather(*puts, return_exceptions=True)
    # However many stand in the queue, nobody waits longer than promised.
    assert time.monotonic() - start < 2
    assert all(isinstance(result, StoreUnavailable) for result in results)
    other.execute("ROLLBACK")
    other.close()
    assert await store.put("a", b"2", ttl=60) == 2
    assert [key for key, _ in await store.scan("k")] == []
    ending.set()
    await watcher
    assert worst < 0.5
    await store.stop()


async def test_a_short_lock_is_waited_for(tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path / "rt.db"))
    await store.put("a", b"1", ttl=60)
    other = sqlite3.connect(tmp_path / "rt.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    asyncio.get_running_loop().call_later(0.3, other.execute, "COMMIT")
    assert await store.put("a", b"2", ttl=60) == 2
    other.close()
    await store.stop()


async def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "rt.db"
    path.write_text("hello " * 100)
    store = SqliteStore(str(path))
    with pytest.raises(StoreUnavailable, match="not a database"):
        await store.get("a")
    path.unlink()
    assert await store.put("a", b"1", ttl=60) == 1  # it is opened anew
    await store.stop()
    nowhere = SqliteStore(str(tmp_path / "no" / "where.db"))
    with pytest.raises(StoreUnavailable, match="unable to open"):
        await nowhere.get("a")
    await nowhere.stop()


def test_a_fork_opens_the_file_itself(tmp_path: Path) -> None:
    program = """
import asyncio, os, sys
from htmx_rt.stores.sqlite import SqliteStore
store = SqliteStore(sys.argv[1])
asyncio.run(store.put("a", b"parent", ttl=60))
child = os.fork()
if child == 0:
    async def work():
        assert (await store.get("a")).value == b"parent"
        for _ in range(50):
            await store.put("b", b"child", ttl=60)
        await store.stop()
    asyncio.run(asyncio.wait_for(work(), 10))
    os._exit(0)
for _ in range(50):
    asyncio.run(store.put("c", b"parent", ttl=60))
assert os.waitpid(child, 0)[1] == 0
assert asyncio.run(store.get("b")).rev == 50
assert asyncio.run(store.get("c")).rev == 50
asyncio.run(store.stop())
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "rt.db")], check=True, timeout=30)
