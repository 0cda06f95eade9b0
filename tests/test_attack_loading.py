"""What somebody tries who means harm, on what loads, is told, and comes in: each of these has once succeeded."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from jinja2 import DictLoader, Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from htmx_rt.exceptions import BadCursor, Cancelled, ConfigurationError
from htmx_rt.paging import read_cursor, write_cursor
from htmx_rt.skeletons import _KEPT, Skeletons
from htmx_rt.upload_disk import Disk
from htmx_rt.validation import Unanswered

from .kit import Site, running
from .progress_kit import Depot
from .upload_kit import PNG, Post, opened

pytestmark = pytest.mark.anyio


# Uploads


async def test_a_folder_that_somebody_has_put_in_the_place_of_ours_is_not_used(tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    post = Post(ours)
    async with running(post.app):
        sender = await opened(post)
        await sender.whole("a.bin", b"secret")
        # As where temporary files are cleared away by age, and others may write to the directory.
        ours.rename(tmp_path / "cleared")
        ours.symlink_to(theirs)
        with pytest.raises(ConfigurationError, match="belongs to somebody else"):
            await sender.announce("b.bin", 6)
        assert not list(theirs.iterdir())


async def test_a_picture_that_calls_itself_a_program_is_not_kept_as_one(tmp_path: Path) -> None:
    post = Post(tmp_path, field={"accept": "image/*"})
    async with running(post.app):
        sender = await opened(post)
        handle = await sender.whole("shell.php", PNG + b"<?php system($_GET[0]); ?>", "image/png")
        assert (await sender.submit(handle)).status == 200
        plain = await sender.send(("shell.phtml", PNG, "image/png"), ("good.PNG", PNG, "image/png"))
        assert plain.status == 200, plain.text
    assert [path.suffix for path in post.paths] == ["", "", ".png"]


async def test_where_every_kind_is_taken_extensions_stay(tmp_path: Path) -> None:
    post = Post(tmp_path)
    async with running(post.app):
        sender = await opened(post)
        assert (await sender.submit(await sender.whole("notes.xyz", b"x"))).status == 200
    assert [path.suffix for path in post.paths] == [".xyz"]


async def test_one_rule_that_the_app_says_again_does_not_lift_the_others(tmp_path: Path) -> None:
    post = Post(tmp_path, field={"accept": ".csv", "max_files": 2, "max_size": 100})
    post.terms = {"max_size": "1 MB"}
    async with running(post.app):
        sender = await opened(post)
        page = await sender.send(("evil.html", b"<script>", "text/html"))
        assert page.status == 415, page.text
        two = await sender.send(("a.csv", b"a", "text/csv"), ("b.csv", b"b" * 200, "text/csv"))
        assert two.status == 200, two.text
        three = await sender.send(*(("a.csv", b"a", "text/csv") for _ in range(3)))
        assert three.text.startswith("count|")
        # Nor does leaving out what the page says.
        bare = await sender.send(("evil.html", b"<script>", "text/html"), policy="")
        assert bare.text.startswith("unknown|")
        post.terms = {"accept": ".csv"}
        assert (await sender.send(("a.csv", b"a", "text/csv"), policy="")).status == 200


async def test_what_is_in_the_hands_of_a_request_is_not_cleared_away(tmp_path: Path) -> None:
    post = Post(tmp_path)
    async with running(post.app):
        sender = await opened(post)
        handle = await sender.whole("a.bin", b"x")
        (part,) = tmp_path.rglob("*.part")
        os.utime(part, (1, 1))  # long ago
        swept: list[bool] = []
        take = post.rt.uploads.disk.taken

        def taken(owner: str, id: str) -> None:
            take(owner, id)
            post.rt.uploads.disk.sweep(post.rt.uploads.clock() - 3600)
            swept.append(True)

        post.rt.uploads.disk.taken = taken  # type: ignore[method-assign]
        answer = await sender.submit(handle)
    assert swept == [True]
    assert answer.status == 200
    assert post.kept[0][3] == b"x"


async def test_files_of_others_are_not_cleared_away(tmp_path: Path) -> None:
    """The folder may be named by mistake, and what others have put in its place may lead anywhere."""
    old = [tmp_path / "2024" / "holiday.jpg", tmp_path / ("a" * 32) / "notes.txt", tmp_path / "taken" / "letter.pdf"]
    ours = [tmp_path / ("a" * 32) / f"{'b' * 32}.part", tmp_path / "taken" / f"{'c' * 32}.png"]
    for path in (*old, *ours, tmp_path / "2023" / "gone"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    (tmp_path / "2023" / "gone").unlink()
    for path in (*old, *ours, tmp_path / "2023"):
        os.utime(path, (1, 1))
    disk = Disk(tmp_path)
    assert disk.sweep(1000)
    assert [path.exists() for path in old] == [True, True, True]
    assert [path.exists() for path in ours] == [False, False]
    assert (tmp_path / "2023").is_dir()


async def test_what_leads_elsewhere_is_not_cleared_away(tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    part = theirs / ("a" * 32) / f"{'b' * 32}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x")
    os.utime(part, (1, 1))
    ours.symlink_to(theirs)
    assert Disk(ours).sweep(1000)
    assert part.exists()


# What takes long


async def test_wishes_that_nobody_hears_do_not_hide_the_others() -> None:
    depot = Depot()
    async with running(depot.app):
        for number in range(600):  # as if whoever cancelled them did so at the very end of each
            await depot.rt.store.put(f"progress:x/{number:024d}", b"", ttl=3600)
        async with depot.begin(user="ada") as p:
            await depot.rt.store.put(f"progress:x/{p.id}", b"Grace", ttl=3600)
            await depot.rt.progresses.wishes()
            assert p.cancelling
            with pytest.raises(Cancelled):
                p.check()


# For whom an answer is


async def test_a_region_is_told_for_whom_its_answer_is_by_a_name_that_tells_nothing() -> None:
    async def part(request: Request) -> Response:
        return HTMLResponse("<p>1</p>")

    site = Site(routes=[Route("/part", part)])
    whose: dict[str, set[str | None]] = {}
    async with running(site.app):
        for who in ("ada", "grace"):
            browser = site.browser(who=who)
            shown = await browser.get("/")
            headers = {"RT-Tab": "0" * 32, "RT-Region": "1"}
            answers = [await browser.get("/part", headers=headers) for _ in range(2)]
            whose[who] = {answer.header("rt-region") for answer in answers}
            assert all(name and name in shown.select("meta[name=htmx-rt]")[0]["content"] for name in whose[who])
            assert (await browser.get("/part", headers={"RT-Tab": "0" * 32})).header("rt-region") is None
    assert len(whose["ada"] | whose["grace"]) == 2


# Checks of fields


async def test_a_check_writes_no_line_of_its_own_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    site = Site()
    scope = {
        "type": "http", "method": "POST", "path": "/x\nERROR all is lost", "query_string": b"", "root_path": "",
        "scheme": "http", "headers": [(b"rt-validate", b"email")],
    }  # fmt: skip
    state = site.rt.identity.open(scope)
    Unanswered(debug=False, sign_in=None).look(state, {"type": "http.response.start", "status": 404, "headers": []})
    (said,) = [record.getMessage() for record in caplog.records if "live check" in record.getMessage()]
    assert "\n" not in said


# Cursors


@pytest.mark.parametrize(
    "at",
    [
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
        datetime.max.replace(tzinfo=timezone(-timedelta(hours=12))),
    ],
)
def test_a_time_that_no_database_can_convert_is_no_cursor(at: datetime) -> None:
    with pytest.raises(OverflowError):
        at.astimezone(UTC)
    with pytest.raises(BadCursor):
        read_cursor(write_cursor((at,)), (datetime,))


# Skeletons


def test_likenesses_are_drawn_by_many_at_once_although_few_are_kept() -> None:
    names = [f"{number}.html" for number in range(_KEPT + 40)]
    environment = Environment(loader=DictLoader(dict.fromkeys(names, "<p>{{ a }}</p>")), auto_reload=False)

    class Installed:
        installed = environment

    skeletons = Skeletons(None, Installed())  # type: ignore[arg-type]
    wrong: list[BaseException] = []

    def draw(start: int) -> None:
        try:
            for turn in range(600):
                skeletons.like(names[(start + turn) % len(names)])
        except BaseException as error:
            wrong.append(error)

    class Slow(dict[Any, Any]):
        """Lets others in between what is written and what is read."""

        def __setitem__(self, key: Any, value: Any) -> None:
            super().__setitem__(key, value)
            if len(self) >= _KEPT:
                self.clear()

    skeletons._drawn = Slow()
    threads = [threading.Thread(target=draw, args=(30 * number,)) for number in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert not wrong
