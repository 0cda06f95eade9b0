"""Files on their way in, over HTTP: what is said of them counts for nothing, what has arrived is never lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from htmx_rt.testing import Page
from htmx_rt.types import Message

from .desk import until
from .kit import problem, running
from .upload_kit import KIND, PNG, Post, Sender, opened

pytestmark = pytest.mark.anyio


async def begun(sender: Sender, name: str = "a.bin", size: int = 10, type: str = "") -> str:
    answer = await sender.announce(name, size, type)
    assert answer.status == 201, answer.text
    return str(json.loads(answer.text)["id"])


class Line:
    """A request whose body comes as the test lets it."""

    def __init__(self, post: Post, sender: Sender, id: str, offset: int, **headers: str) -> None:
        self.sent: list[Message] = []
        self._pieces: asyncio.Queue[Message] = asyncio.Queue()
        cookies = "; ".join(f"{name}={value}" for name, value in sender.browser.cookies.items())
        given = {"host": "testserver", "cookie": cookies, "sec-fetch-site": "same-origin", "content-type": KIND,
                 "upload-offset": str(offset)} | {name.replace("_", "-"): value for name, value in headers.items()}  # fmt: skip
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "PATCH", "scheme": "http",
            "path": f"/_rt/uploads/{id}", "raw_path": b"", "query_string": b"", "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
            "client": ("testclient", 1), "server": ("testserver", 80), "extensions": {}, "state": {},
        }  # fmt: skip

        async def send(message: Message) -> None:
            self.sent.append(message)

        self.taken = 0

        async def receive() -> Message:
            message = await self._pieces.get()
            self.taken += 1
            return message

        self.task = asyncio.ensure_future(post.app(scope, receive, send))

    def send(self, body: bytes, *, more: bool = True) -> None:
        self._pieces.put_nowait({"type": "http.request", "body": body, "more_body": more})

    def drop(self) -> None:
        self._pieces.put_nowait({"type": "http.disconnect"})

    async def status(self) -> int:
        await asyncio.wait_for(self.task, 10)
        return int(self.sent[0]["status"]) if self.sent else 0


# Arriving


async def test_a_file_arrives_in_pieces_and_goes_with_its_form_once(tmp_path: Path) -> None:
    post = Post(tmp_path)
    async with running(post.app):
        sender = await opened(post)
        said = json.loads((await sender.announce("Report 2026.bin", 10)).text)
        assert (said["name"], said["chunk"]) == ("Report 2026.bin", 1024 * 1024)
        assert await sender.offset(said["id"]) == 0
        first = await sender.patch(said["id"], 0, b"01234")
        assert (first.status, first.header("upload-offset"), first.header("upload-length")) == (204, "5", "10")
        assert (await sender.patch(said["id"], 5, b"56789")).header("upload-offset") == "10"
        answer = await sender.submit(said["handle"])
        assert (answer.status, answer.text) == (200, '["Report 2026.bin"]')
        again = await sender.submit(said["handle"])
        assert (again.status, again.text.partition("|")[0]) == (409, "gone")
        assert await sender.offset(said["id"]) is None
    assert post.kept == [("Report 2026.bin", "application/octet-stream", 10, b"0123456789")]
    await until(lambda: post.on_disk() == [])


async def test_nothing_of_an_answer_is_kept_by_caches(tmp_path: Path) -> None:
    post = Post(tmp_path)
    async with running(post.app):
        sender = await opened(post)
        id = await begun(sender)
        for answer in (await sender.call("HEAD", f"/_rt/uploads/{id}"), await sender.patch(id, 0, b"0")):
            assert answer.header("cache-control") == "no-store"


async def test_what_was_kept_is_told_to_whoever_names_a_wrong_offset(tmp_path: Path) -> None:
    post = Post(tmp_path)
    async with running(post.app):
        sender = await opened(post)
        id = await begun(sender)
        await sender.patch(id, 0, b"012")
        for offset in (0, 2, 4):
            answer = await sender.patch(id, offset, b"xxx")
            assert problem(answer) == (409, "stale")
            assert answer.header("upload-offset") == "3"
        assert (await sender.patch(id, 3, b"3456789")).status == 204


@pytest.mark.parametrize("offset", ["-1", "1.0", "", "x", "9" * 20])
async def test_an_offset_is_a_number(tmp_path: Path, offset: str) -> None:
    post = Post(tmp_path)
    async with running(post.app):
        sender = await opened(post)
        assert problem(await sender.patch(await begun(sender), offset, b"x")) == (400, "bad-request")


async def test_more_than_was_said_is_refused_before_it_comes(tmp_path: Path) -> None:
    post = Post(tmp_path)
    async with running(post.app):
        sender = await opened(post)
        id = await begun(sender)
        await sender.patch(id, 0, b"01234")
        assert problem(await sender.patch(id, 5, b"567890")) == (413, "too-large")
        assert await sender.offset(id) == 5


async def test_a_body_that_is_longer_than_the_file_leaves_nothing_of_itself(tmp_path: Path) -> None:
    """Without Content-Length, as of HTTP/2 or chunks."""
    post = Post(tmp_path)
    size = 600 * 1024
    async with running(post.app):
        sender = await opened(post)
        id = await begun(sender, size=size)
        line = Line(post, sender, id, 0)
        for _ in range(4):
            line.send(b"x" * 200 * 1024)
        line.send(b"", more=False)
        assert await line.status() == 413
        assert await sender.offset(id) == 0


async def test_of_a_line_that_drops_everything_that_came_is_kept(tmp_path: Path) -> None:
    post = Post(tmp_path)
    async with running(post.app):
        sender = await opened(post)
        id = await begun(sender, size=1000)
        line = Line(post, sender, id, 0, content_length="1000")
        line.send(b"x" * 333)
        line.drop()
        await line.status()
        assert await sender.offset(id) == 333
        assert (await sender.patch(id, 333, b"x" * 667)).status == 204


async def test_a_handle_of_a_file_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    post = Post(tmp_path)
    async with running(post.app):
        sender = await opened(post)
        said = json.loads((await sender.announce(size=10)).text)
        await sender.patch(said["id"], 0, b"012345678")
        answer = await sender.submit(said["handle"])
        assert (answer.status, answer.text) == (409, "unfinished|a.bin: not all of it has arrived. Send it again.")
        await sender.patch(said["id"], 9, b"9")
        assert (await sender.submit(said["handle"])).status == 200


async def test_whoever_sends_too_slowly_is_let_go_and_nothing_is_lost(tmp_path: Path) -> None:
    post = Post(tmp_path, limits={"body_timeout": 0.2})
    async with running(post.app):
        sender = await opened(post)
        id = await begun(sender, size=1000)
        line = Line(post, sender, id, 0, content_length="1000")
        line.send(b"x" * 100)
        assert await line.status() == 408
        assert await sender.offset(id) == 100


async def test_a_byte_now_and_then_is_no_progress(tmp_path: Path) -> None:
    post = Post(tmp_path, limits={"body_timeout": 0.3})
    async with running(post.app):
        sender = await opened(post)
        line = Line(post, sender, await begun(sender, size=100_000), 0)

        async def drip() -> None:
            while True:
                line.send(b"x")
                await asyncio.sleep(0.05)

        dripping = asyncio.ensure_future(drip())
        assert await line.status() == 408
        dripping.cancel()


async def test_a_later_request_takes_over_from_one_whose_line_is_dead(tmp_path: Path) -> None:
    post = Post(tmp_path, limits={"body_timeout": 60.0})
    async with running(post.app):
        sender = await opened(post)
        id = await begun(sender, size=1000)
        dead = Line(post, sender, id, 0, content_length="1000")
        dead.send(b"x" * 400)
        while dead.taken < 1:
            await asyncio.sleep(0)
        late = await asyncio.wait_for(sender.patch(id, 0, b"y" * 1000), 5)
        assert problem(late) == (409, "stale")  # what came on the first line is here
        assert late.header("upload-offset") == "400"
        assert (await sender.patch(id, 400, b"x" * 600)).status == 204
        dead.drop()
        assert await dead.status() == 408


async def test_of_two_requests_at_once_no_byte_is_written_twice(tmp_path: Path) -> None:
    post = Post(tmp_path)
    body = bytes(range(250)) * 40
    async with running(post.app):
        sender = await opened(post)
        said = json.loads((await sender.announce(size=len(body))).text)
        while (offset := await sender.offset(said["id"]) or 0) < len(body):
            await asyncio.gather(
                *(sender.patch(said["id"], offset, body[offset : offset + 900 + n]) for n in range(3)),
            )
        assert (await sender.submit(said["handle"])).status == 200
    assert post.kept[0][3] == body


async def test_another_process_that_writes_to_it_comes_first(tmp_path: Path) -> None:
    post = Post(tmp_path)
    async with running(post.app):
        sender = await opened(post)
        id = await begun(sender)
        owner = next(path.parent.name for path in tmp_path.rglob("*.part"))
        found = post.rt.uploads.disk.find(owner, id)
        assert found is not None
        with post.rt.uploads.disk.open(owner, found[0], 0):
            answer = await sender.patch(id, 0, b"0123456789")
        assert problem(answer) == (423, "locked")
        assert answer.header("retry-after") == "1"


async def test_a_file_is_dropped_by_whoever_sends_it(tmp_path: Path) -> None:
    post = Post(tmp_path)
    async with running(post.app):
        sender = await opened(post)
        id = await begun(sender)
        await sender.patch(id, 0, b"0")
        for _ in range(2):
            assert (await sender.call("DELETE", f"/_rt/uploads/{id}")).status == 204
        assert problem(await sender.patch(id, 1, b"1")) == (404, "gone")
    await until(lambda: post.on_disk() == [])


# Whose it is


async def test_a_file_of_somebody_else_is_none(tmp_path: Path) -> None:
    post = Post(tmp_path)
    async with running(post.app):
        ada, grace = await opened(post), await opened(post, who="grace")
        said = json.loads((await ada.announce(size=3)).text)
        await ada.patch(said["id"], 0, b"0")
        assert await grace.offset(said["id"]) is None
        assert problem(await grace.patch(said["id"], 1, b"12")) == (404, "gone")
        await grace.call("DELETE", f"/_rt/uploads/{said['id']}")
        assert (await ada.patch(said["id"], 1, b"12")).status == 204
        stolen = await grace.submit(said["handle"])
        assert (stolen.status, stolen.text.partition("|")[0]) == (422, "unknown")
        assert (await ada.submit(said["handle"])).status == 200


async def test_rules_of_somebody_else_count_for_nobody(tmp_path: Path) -> None:
    post = Post(tmp_path)
    async with running(post.app):
        ada, grace = await opened(post), await opened(post, who="grace")
        grace.policy = ada.policy
        assert problem(await grace.announce()) == (403, "forbidden")
        ada.policy = ada.policy[:-2] + "AA"
        assert problem(await ada.announce()) == (403, "forbidden")


async def test_whoever_has_signed_out_meanwhile_is_told_so(tmp_path: Path) -> None:
    post = Post(tmp_path)
    async with running(post.app):
        sender = await opened(post)
        await sender.browser.get("/out")
        assert problem(await sender.announce()) == (401, "signed-out")


async def test_without_a_cookie_nobody_knows_whose_it_would_be(tmp_path: Path) -> None:
    post = Post(tmp_path)
    async with running(post.app):
        sender = await opened(post)
        sender.browser.cookies.clear()
        assert problem(await sender.announce()) == (401, "no-cookie")


async def test_visitors_have_files_too(tmp_path: Path) -> None:
    post = Post(tmp_path)
    async with running(post.app):
        sender = await opened(post, post.browser())
        assert (await sender.submit(await sender.whole("a.bin", b"abc"))).status == 200


@pytest.mark.parametrize(("method", "path"), [("POST", ""), ("PATCH", "/" + "0" * 32), ("DELETE", "/" + "0" * 32)])
async def test_pages_of_other_sites_cannot_send(tmp_path: Path, method: str, path: str) -> None:
    post = Post(tmp_path)
    async with running(post.app):
        sender = await opened(post)
        answer = await sender.call(method, "/_rt/uploads" + path, b"", sec_fetch_site="cross-site")
        assert problem(answer) == (403, "forbidden")


@pytest.mark.parametrize("id", ["..", "%2e%2e%2fa", "0" * 31, "A" * 32, "0" * 33])
async def test_an_address_that_is_none(tmp_path: Path, id: str) -> None:
    post = Post(tmp_path)
    async with running(post.app):
        sender = await opened(post)
        assert (await sender.patch(id, 0, b"x")).status == 404


# What may come


@pytest.mark.parametrize(
    "more",
    [
        {"size": -1}, {"size": 1.5}, {"size": "10"}, {"size": True}, {"size": 10**15}, {"name": None}, {"name": 7},
        {"name": "x" * 5000}, {"type": None}, {"type": "x" * 300}, {"policy": None}, {"policy": 7},
    ],
    ids=str,
)  # fmt: skip
async def test_what_is_said_of_a_file_has_a_shape(tmp_path: Path, more: dict[str, Any]) -> None:
    post = Post(tmp_path)
    async with running(post.app):
        sender = await opened(post)
        assert problem(await sender.announce(**more)) == (400, "bad-request")


async def test_the_largest_that_may_come(tmp_path: Path) -> None:
    post = Post(tmp_path, field={"max_size": "2 kB"})
    async with running(post.app):
        sender = await opened(post)
        assert (await sender.announce(size=2000)).status == 201
        assert problem(await sender.announce(size=2001)) == (413, "too-large")


@pytest.mark.parametrize(
    ("name", "said", "body", "status"),
    [
        ("a.png", "image/png", PNG, 204),
        ("A.PNG", "", PNG, 204),
        ("a.png", "image/png", b"<script>alert(1)</script>" * 50, 415),
        ("a.png", "image/png", b"GIF89a" + b"x" * 900, 415),
        ("a.png", "image/png", b"\x89PN", 415),
        ("a.csv", "text/csv", b"a,b\n1,2\n" * 90, 204),
        ("a.csv", "text/csv", b"a,b\n1,2\n" * 90 + b"\0", 415),
        ("a.csv", "application/vnd.ms-excel", b"a,b", 204),
        ("a.csv", "text/csv", PNG, 415),
    ],
)
async def test_a_wrong_kind_behind_a_right_name_is_found_and_dropped(
    tmp_path: Path, name: str, said: str, body: bytes, status: int
) -> None:
    post = Post(tmp_path, field={"accept": ".csv,image/*"})
    async with running(post.app):
        sender = await opened(post)
        id = await begun(sender, name, len(body), said)
        answer = await sender.patch(id, 0, body)
        assert answer.status == status
        if status == 415:
            assert problem(answer) == (415, "validation")
            await until(lambda: post.on_disk() == [])


async def test_a_wrong_kind_is_found_however_small_its_pieces_are(tmp_path: Path) -> None:
    post = Post(tmp_path, field={"accept": "image/png"})
    body = b"<!doctype html>" * 100
    async with running(post.app):
        sender = await opened(post)
        id = await begun(sender, "a.png", len(body))
        for offset in range(0, len(body), 7):
            answer = await sender.patch(id, offset, body[offset : offset + 7])
            if answer.status != 204:
                break
    assert (answer.status, offset < 600) == (415, True)


@pytest.mark.parametrize(
    ("name", "said"), [("a.exe", "image/png"), ("a.html", "image/png"), ("a", ""), ("a.svg", ""), ("a.png.exe", "")]
)
async def test_what_was_not_asked_for_is_refused_before_it_comes(tmp_path: Path, name: str, said: str) -> None:
    post = Post(tmp_path, field={"accept": ".csv,image/png"})
    async with running(post.app):
        sender = await opened(post)
        assert problem(await sender.announce(name, 10, said)) == (415, "validation")


# How much


async def test_no_more_files_than_may_be_under_way(tmp_path: Path) -> None:
    post = Post(tmp_path, limits={"uploads_per_person": 3}, field={"max_files": 3})
    async with running(post.app):
        ada, grace = await opened(post), await opened(post, who="grace")
        answers: Sequence[Page] = await asyncio.gather(*(ada.announce() for _ in range(20)))
        assert sorted(answer.status for answer in answers) == [201] * 3 + [429] * 17
        refused = next(answer for answer in answers if answer.status == 429)
        assert (problem(refused), refused.header("retry-after")) == ((429, "limited"), "60")
        assert (await grace.announce()).status == 201
        id = json.loads(next(answer.text for answer in answers if answer.status == 201))["id"]
        await ada.call("DELETE", f"/_rt/uploads/{id}")
        assert (await ada.announce()).status == 201


async def test_no_more_bytes_than_may_be_under_way(tmp_path: Path) -> None:
    post = Post(tmp_path, limits={"upload_bytes_per_person": 1000}, field={"max_size": 1000})
    async with running(post.app):
        sender = await opened(post)
        assert (await sender.announce(size=600)).status == 201
        assert problem(await sender.announce(size=401)) == (429, "limited")
        assert (await sender.announce(size=400)).status == 201


async def test_a_full_disk_is_said_to_be_full(tmp_path: Path) -> None:
    post = Post(tmp_path)
    free = 10_000
    post.rt.uploads.disk._free = lambda path: free
    async with running(post.app):
        sender = await opened(post)
        assert (await sender.announce(size=9_999)).status == 201
        answer = await sender.announce(size=10_000)
        assert (problem(answer), answer.header("retry-after")) == ((507, "limited"), "60")


async def test_a_disk_that_fills_up_meanwhile_keeps_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno
    import os

    post = Post(tmp_path)
    async with running(post.app):
        sender = await opened(post)
        id = await begun(sender)
        await sender.patch(id, 0, b"01234")

        def full(*_: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", full)
            assert problem(await sender.patch(id, 5, b"56789")) == (507, "limited")
        assert await sender.offset(id) == 5
        assert (await sender.patch(id, 5, b"56789")).status == 204


async def test_ten_thousand_at_once_are_slowed_down(tmp_path: Path) -> None:
    post = Post(tmp_path, limits={"calls_burst": 40.0})
    async with running(post.app):
        sender = await opened(post)
        answers = [await sender.announce() for _ in range(500)]
    assert {answer.status for answer in answers} == {201, 429}
    assert len(post.on_disk()) <= 2 * 64
