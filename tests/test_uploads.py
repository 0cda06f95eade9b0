"""The files of a form: each is handed over once, whole, as what it is, under a name of ours, or none is."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import random
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htmx_rt import Realtime
from htmx_rt.exceptions import BadUpload, ConfigurationError
from htmx_rt.upload_disk import IDLE, SWEPT, Disk, DiskFull, Record
from htmx_rt.upload_forms import Policy, Taker
from htmx_rt.uploads import in_bytes

from .desk import until
from .kit import SECRET, running
from .upload_kit import PNG, Post, multipart, opened

pytestmark = pytest.mark.anyio
OWNER = "a" * 32


def problem(answer: Any) -> tuple[int, str]:
    return answer.status, answer.text.partition("|")[0]


# Handing over


async def test_files_have_names_that_are_safe_and_places_that_are_ours(tmp_path: Path) -> None:
    post = Post(tmp_path)
    async with running(post.app):
        sender = await opened(post)
        names = ["../../etc/passwd", "photo\u202egpj.exe", ".htaccess", "", "CON", "a.txt", "A.txt", "a" * 300 + ".txt"]
        handles = [await sender.whole(name, b"x") for name in names]
        there = post.on_disk()
        assert (await sender.submit(*handles)).status == 200
    assert [name for name, *_ in post.kept] == [
        "passwd", "photogpj.exe", "htaccess", "file", "_CON", "a.txt", "A (2).txt", "a" * 116 + ".txt",
    ]  # fmt: skip
    assert all(Path(one).stem.isalnum() and len(Path(one).stem) == 32 for one in there)
    assert all(path.parent == tmp_path / "taken" and len(path.stem) == 32 for path in post.paths)
    assert [path.suffix for path in post.paths] == ["", ".exe", "", "", "", ".txt", ".txt", ".txt"]


async def test_what_came_with_the_form_is_held_to_the_same(tmp_path: Path) -> None:
    post = Post(tmp_path, field={"accept": ".csv,image/*", "max_size": 2000, "max_files": 2})
    async with running(post.app):
        sender = await opened(post)
        good = await sender.send(("../a.png", PNG, "image/png"), ("a.png", PNG, "text/html"))
        assert json.loads(good.text) == ["a.png", "a (2).png"]
        assert problem(await sender.send(("a.png", b"<html>", "image/png"))) == (415, "type")
        assert problem(await sender.send(("a.csv", b"a\0b", "text/csv"))) == (415, "type")
        assert problem(await sender.send(("a.exe", b"MZ", "image/png"))) == (415, "type")
        assert problem(await sender.send(("a.csv", b"x" * 2001, "text/csv"))) == (413, "size")
        assert problem(await sender.send(*[("a.csv", b"x", "text/csv")] * 3)) == (422, "count")
        assert problem(await sender.send(("a.csv", b"x", "text/csv"), policy="")) == (422, "unknown")
        assert (await sender.send(("", b"", "application/octet-stream"))).text == "[]"
    assert [kind for _, kind, *_ in post.kept] == ["image/png", "image/png"]
    await until(lambda: post.on_disk() == [])


async def test_files_of_both_kinds_go_together(tmp_path: Path) -> None:
    post = Post(tmp_path, field={"max_files": 2})
    async with running(post.app):
        sender = await opened(post)
        handle = await sender.whole("a.txt", b"first")
        mixed = [("rt-upload.files", sender.policy), ("rt-upload.files", handle)]
        body, kind = multipart(mixed, [("a.txt", b"second", "text/plain")])
        answer = await sender.call("POST", "/send", body, content_type=kind)
        assert json.loads(answer.text) == ["a.txt", "a (2).txt"]
    assert [contents for *_, contents in post.kept] == [b"first", b"second"]


async def test_where_one_is_wrong_none_is_taken(tmp_path: Path) -> None:
    post = Post(tmp_path)
    async with running(post.app):
        sender = await opened(post)
        good = [await sender.whole(f"{n}.txt", b"x") for n in range(3)]
        gone = await sender.whole("gone.txt", b"x")
        await sender.submit(gone)
        post.kept.clear()
        before = post.on_disk()
        assert problem(await sender.submit(*good, gone)) == (409, "gone")
        assert problem(await sender.submit(*good, "forged")) == (422, "unknown")
        assert post.on_disk() == before
        assert (await sender.submit(*good)).status == 200
    assert len(post.kept) == 3


async def test_where_the_last_one_is_wrong_those_before_are_given_back(tmp_path: Path) -> None:
    post = Post(tmp_path, field={"accept": ".txt,.png"})
    async with running(post.app):
        sender = await opened(post)
        handle = await sender.whole("a.txt", b"first")
        body, kind = multipart(
            [("rt-upload.files", sender.policy), ("rt-upload.files", handle)], [("a.png", b"<html>", "image/png")]
        )
        assert problem(await sender.call("POST", "/send", body, content_type=kind)) == (415, "type")
        assert (await sender.submit(handle)).status == 200
    assert [contents for *_, contents in post.kept] == [b"first"]
    await until(lambda: post.on_disk() == [])


async def test_more_handles_than_files_may_be(tmp_path: Path) -> None:
    post = Post(tmp_path, field={"max_files": 2})
    async with running(post.app):
        sender = await opened(post)
        handles = [await sender.whole(f"{n}.txt", b"x") for n in range(3)]
        refused = await sender.submit(*handles)
        assert (refused.status, refused.text) == (422, "count|2 files are the most")
        assert (await sender.submit(handles[0], handles[0], handles[1])).text == '["0.txt","1.txt"]'


async def test_of_many_who_take_it_at_once_one_gets_it(tmp_path: Path) -> None:
    """As a form that is sent twice, to two workers."""
    post, other = Post(tmp_path), Post(tmp_path)
    for _ in range(5):
        async with running(post.app):
            sender = await opened(post)
            handle = await sender.whole("a.txt", b"x" * 1000)
            answers = await asyncio.gather(*(sender.submit(handle) for _ in range(8)))
        assert sorted(answer.status for answer in answers) == [200] + [409] * 7
    assert len(post.kept) == 5
    await until(lambda: other.on_disk() == [])


async def test_two_workers_never_take_the_same(tmp_path: Path) -> None:
    disks = [Disk(tmp_path) for _ in range(4)]
    for disk in disks:
        disk.prepare()

    def say(name: str, n: int | None = None, **_: str) -> str:
        return name

    for number in range(30):
        id = f"{number:032x}"
        record = Record(id, "files", "a.txt", "", 3, (), 10, 5, 0.0)
        disks[0].announce(OWNER, record, most=9, most_bytes=999, reserve=0)
        with disks[0].open(OWNER, record, 0) as writer:
            writer.write(b"abc")
        takers = [Taker(disk, OWNER, "files", say=say, home=lambda: None, reserve=0) for disk in disks]
        policy = Policy("files", (), 10, 5)
        taken = await asyncio.gather(
            *(asyncio.to_thread(taker.take, policy, [id], []) for taker in takers), return_exceptions=True
        )
        won = [one for one in taken if isinstance(one, list)]
        assert len(won) == 1
        assert won[0][0].path.read_bytes() == b"abc"
        assert all(isinstance(one, BadUpload) for one in taken if not isinstance(one, list))


async def test_rules_may_be_said_again_where_files_are_taken(tmp_path: Path) -> None:
    post = Post(tmp_path)
    async with running(post.app):
        sender = await opened(post)
        handle = await sender.whole("a.txt", b"x" * 100)
        post.terms = {"accept": "image/*"}
        assert problem(await sender.submit(handle)) == (415, "type")
        post.terms = {"max_size": 99}
        assert problem(await sender.submit(handle)) == (413, "size")
        post.terms = {"max_size": 100, "accept": ".txt"}
        assert (await sender.submit(handle)).status == 200
        assert (await sender.send(("a.txt", b"x", "text/plain"), policy="")).status == 200


async def test_rules_and_handles_of_another_field_count_for_nothing(tmp_path: Path) -> None:
    post = Post(tmp_path)
    async with running(post.app):
        sender = await opened(post)
        await sender.announce()
        (owner,) = (path.name for path in tmp_path.iterdir() if path.name != "taken")
        ours, sender.policy = sender.policy, post.rt.uploads.sign(owner, Policy("others", (), 99, 9), person=True)
        assert problem(await sender.send(("a.txt", b"x", "text/plain"))) == (422, "unknown")
        handle = await sender.whole("a.txt", b"abc")
        assert problem(await sender.submit(handle, policy=ours)) == (422, "unknown")


@pytest.mark.parametrize("folder", [True, False])
async def test_a_file_is_saved_or_goes_with_its_request(tmp_path: Path, folder: bool) -> None:
    post = Post(tmp_path / "uploads")
    to = tmp_path / "kept"
    to.mkdir()
    post.to = to if folder else to / "named.bin"
    async with running(post.app):
        sender = await opened(post)
        assert (await sender.submit(await sender.whole("a.txt", b"abc"))).status == 200
    (path,) = post.paths
    assert path.read_bytes() == b"abc"
    assert path.parent == to
    assert (path.name == "named.bin") is not folder
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    await until(lambda: post.on_disk() == [])


async def test_a_folder_that_nobody_made_does_not_cost_the_second_file(tmp_path: Path) -> None:
    post = Post(tmp_path / "uploads")
    post.to = tmp_path / "kept"
    async with running(post.app):
        sender = await opened(post)
        first, second = await sender.whole("a.txt", b"first"), await sender.whole("b.txt", b"second")
        with pytest.raises(FileExistsError, match=r"'b\.txt' is not saved: .*kept' is a file already.*make it before"):
            await sender.submit(first, second)
        assert post.to.read_bytes() == b"first"
        post.saving = {"replace": True}
        assert (await sender.submit(await sender.whole("c.txt", b"third"))).status == 200
    assert post.to.read_bytes() == b"third"


async def test_nothing_is_left_where_a_file_could_not_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    post = Post(tmp_path / "uploads")
    post.to = tmp_path / "kept.txt"

    def broken(*_: Any) -> None:
        raise OSError(5, "Input/output error")

    async with running(post.app):
        sender = await opened(post)
        handle = await sender.whole("a.txt", b"abc")
        monkeypatch.setattr("htmx_rt.upload_forms.os.replace", broken)
        monkeypatch.setattr("htmx_rt.upload_forms.shutil.copyfile", broken)
        with pytest.raises(OSError, match="Input/output"):
            await sender.submit(handle)
        monkeypatch.undo()
    assert not post.to.exists()


async def test_saving_to_another_disk_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    post = Post(tmp_path / "uploads")
    post.to = tmp_path / "kept.txt"
    replace = os.replace

    def across(source: Any, target: Any) -> None:
        if "taken" in str(source):
            raise OSError(18, "Invalid cross-device link")
        replace(source, target)

    async with running(post.app):
        sender = await opened(post)
        handle = await sender.whole("a.txt", b"abc")
        monkeypatch.setattr(os, "replace", across)
        assert (await sender.submit(handle)).status == 200
    assert post.to.read_bytes() == b"abc"
    assert list(tmp_path.glob("*.txt*")) == [post.to]
    await until(lambda: post.on_disk() == [])


async def test_pages_are_told_what_was_handed_over(tmp_path: Path) -> None:
    post = Post(tmp_path)
    async with running(post.app):
        sender = await opened(post)
        said = json.loads((await sender.announce(size=1)).text)
        await sender.patch(said["id"], 0, b"x")
        page = await sender.browser.get("/form")
        body, kind = multipart([("rt-upload.files", sender.policy), ("rt-upload.files", said["handle"])])
        answer = await sender.browser.request("POST", "/send", body, page=page, headers={"content-type": kind})
        assert answer.header("RT-Taken") == said["id"]


@pytest.mark.parametrize("make", ["werkzeug", "django", "litestar", "dict"])
async def test_forms_of_other_frameworks_are_read(tmp_path: Path, make: str, request: pytest.FixtureRequest) -> None:
    disk = Disk(tmp_path)
    disk.prepare()
    taker = Taker(disk, OWNER, "files", say=lambda name, **_: name, home=lambda: None, reserve=0)
    form: Any = {}
    files: Any = None
    if make == "werkzeug":
        from werkzeug.datastructures import FileStorage, MultiDict

        form = MultiDict([("rt-upload.files", "token")])
        files = MultiDict(
            [("files", FileStorage(io.BytesIO(b"abc"), "a.txt")), ("files", FileStorage(io.BytesIO(), ""))]
        )
    elif make == "django":
        from django.conf import settings
        from django.core.files.uploadedfile import InMemoryUploadedFile
        from django.utils.datastructures import MultiValueDict

        if not settings.configured:
            before = settings._wrapped
            request.addfinalizer(lambda: setattr(settings, "_wrapped", before))  # others say their own
            settings.configure()
        form = MultiValueDict({"rt-upload.files": ["token"]})
        file = InMemoryUploadedFile(io.BytesIO(b"abc"), "files", "a.txt", "text/plain", 3, None)
        files = MultiValueDict({"files": [file]})
    elif make == "litestar":
        from litestar.datastructures import FormMultiDict, UploadFile

        form = FormMultiDict([("rt-upload.files", "token"), ("files", UploadFile("text/plain", "a.txt", b"abc"))])
    else:
        form = {"rt-upload.files": "token", "files": io.BytesIO(b"abc")}
        form["files"].name = "a.txt"
    tokens, plain = taker.read(form, files)
    assert tokens == ["token"]
    (taken,) = await asyncio.to_thread(taker.take, Policy("files", (".txt",), 10, 1), [], plain)
    plain[0].close() if make != "litestar" else plain[0].file.close()
    assert (taken.name, taken.type, taken.size, taken.path.read_bytes()) == ("a.txt", "text/plain", 3, b"abc")


# What is left behind


def announced(disk: Disk, number: int, *, owner: str = OWNER, size: int = 3) -> Record:
    record = Record(f"{number:032x}", "files", "a.txt", "", size, (), 10, 5, 0.0)
    disk.announce(owner, record, most=9999, most_bytes=10**9, reserve=0)
    return record


def aged(folder: Path, seconds: float) -> None:
    for path in [*folder.rglob("*"), folder]:
        if path.exists():
            os.utime(path, (time.time() - seconds,) * 2)


def test_what_nobody_claims_goes_after_a_day_a_part_at_a_time(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.prepare()
    for number in range(SWEPT):
        announced(disk, number)
    (disk.new("b" * 32, ".txt")).write_bytes(b"left by somebody who died")
    aged(tmp_path, 3600)
    young = announced(disk, SWEPT, owner="c" * 32)
    rounds = 0
    while not disk.sweep(time.time() - 1800):
        rounds += 1
    assert rounds >= 2
    assert [path.name for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"] != []
    assert disk.find("c" * 32, young.id) is not None
    assert disk.find(OWNER, f"{0:032x}") is None
    while not disk.sweep(time.time() + 10):
        pass
    while not disk.sweep(time.time() + 10):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["taken"]


def test_every_byte_makes_it_younger(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.prepare()
    record = announced(disk, 1)
    aged(tmp_path, 3600)
    with disk.open(OWNER, record, 0) as writer:
        writer.write(b"a")
    assert disk.sweep(time.time() - 1800)
    assert disk.find(OWNER, record.id) == (record, 1)


def test_what_nobody_goes_on_with_gives_way(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.prepare()
    old, new, third = (Record(f"{n:032x}", "files", "a", "", 3, (), 10, 5, 0.0) for n in range(3))
    for record in (old, new):
        disk.announce(OWNER, record, most=2, most_bytes=99, reserve=0)
    os.utime(tmp_path / OWNER / f"{old.id}.part", (time.time() - IDLE - 1,) * 2)
    disk.announce(OWNER, third, most=2, most_bytes=99, reserve=0)
    assert [disk.find(OWNER, one.id) is not None for one in (old, new, third)] == [False, True, True]


async def test_the_worker_clears_away(tmp_path: Path) -> None:
    post = Post(tmp_path, limits={"upload_life": 3600.0})
    async with running(post.app):
        sender = await opened(post)
        await sender.announce()
        aged(tmp_path, 7200)
        post.rt.uploads._next = 0.0
        async with asyncio.timeout(10):
            while post.on_disk():
                await asyncio.sleep(0.05)


# The folder


def test_the_folder_is_ours_alone(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    Disk(folder).prepare()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.chmod(0o755)
    Disk(folder).prepare()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_somebody_else_made_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(ConfigurationError, match="belongs to somebody else"):
        Disk(tmp_path / "link").prepare()
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    with pytest.raises(ConfigurationError, match="belongs to somebody else"):
        Disk(tmp_path).prepare()


async def test_where_files_lie_by_default_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    rt = Realtime(secret=SECRET, name="shop")
    with caplog.at_level(logging.WARNING, "htmx_rt"):
        rt.uploads.prepare()
        rt.uploads.prepare()
    (told,) = caplog.messages
    assert str(tmp_path / "htmx-rt-shop-uploads") in told
    assert "Realtime(uploads=" in told


def test_damaged_notes_are_none(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.prepare()
    record = announced(disk, 1)
    note = tmp_path / OWNER / f"{record.id}.json"
    for damage in ("", "{", "[]", '{"id": 1}', "null"):
        note.write_text(damage)
        assert disk.find(OWNER, record.id) is None


# What macros are told


@pytest.mark.parametrize(
    ("size", "number"),
    [(1, 1), ("1", 1), ("20 MB", 20_000_000), ("1.5 kB", 1500), ("1MiB", 2**20), ("2 GB", 2 * 10**9), ("7 B", 7)],
)
def test_sizes_are_read_as_people_write_them(size: int | str, number: int) -> None:
    assert in_bytes(size) == number


@pytest.mark.parametrize("size", [0, -1, "", "MB", "1 TB", "0 MB", "-1 MB", "1,5 MB", None, True, 1.5])
def test_sizes_that_are_none(size: Any) -> None:
    with pytest.raises(ConfigurationError, match="Bad size"):
        in_bytes(size)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"max_files": 0}, "max_files=0"), ({"max_files": 65}, "uploads_per_person"), ({"max_size": "3 GiB"}, "max_size"),
        ({"accept": "pictures"}, "is no kind of file"), ({"field": ""}, "Bad field name"),
    ],
)  # fmt: skip
def test_a_field_that_makes_no_sense_is_refused(options: dict[str, Any], complaint: str) -> None:
    rules = {"field": "files", "accept": "", "max_size": 1, "max_files": 1} | options
    with pytest.raises(ConfigurationError, match=complaint):
        Realtime(secret=SECRET, name="shop").uploads.rules(**rules)


async def test_the_field_says_what_it_takes(tmp_path: Path) -> None:
    post = Post(tmp_path, field={"accept": ".csv,image/*", "max_files": 5, "max_size": "1.5 MB", "required": True})
    async with running(post.app):
        page = await post.browser("ada").get("/form")
    (field,) = page.select("input[type=file]")
    assert (field["accept"], field["name"], field.has_attr("multiple"), field.has_attr("required")) == (
        ".csv,image/*", "files", True, True,
    )  # fmt: skip
    assert page.select(f"#{field['aria-describedby']}")[0].text == "up to 5 files of 1.5 MB · CSV, image"
    assert page.select(f"label[for={field['id']}]")[0].text == "Choose files or drop them here"
    post.field = {"multiple": False, "label": "Your <picture>"}
    async with running(post.app):
        page = await post.browser("ada").get("/form")
    assert not page.select("input[type=file]")[0].has_attr("multiple")
    assert page.select("label")[0].text == "Your <picture>"


async def test_consume_outside_a_request_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"rt\.uploads\.consume\(\) was called outside a request"):
        Realtime(secret=SECRET, name="shop").uploads.consume({}, "files")


# Whatever happens


@given(st.integers())
def test_whatever_is_sent_and_lost_the_file_is_what_was_sent(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    chance = random.Random(seed)
    disk = Disk(tmp_path_factory.mktemp("disk"))
    disk.prepare()
    body = chance.randbytes(chance.randrange(1, 5000))
    record = announced(disk, 1, size=len(body))
    while True:
        found = disk.find(OWNER, record.id)
        assert found is not None
        offset = found[1]
        assert (disk.root / OWNER / f"{record.id}.part").read_bytes() == body[:offset]
        if offset == len(body):
            break
        with disk.open(OWNER, record, offset) as writer:
            for _ in range(chance.randrange(4)):
                writer.write(body[writer.offset : writer.offset + chance.randrange(900)])
            if chance.random() < 0.1:
                writer.undo()
    assert disk.take(OWNER, record, ".x").read_bytes() == body
    with pytest.raises(FileNotFoundError):
        disk.take(OWNER, record, ".x")


def test_room_that_runs_out_while_a_form_is_copied(tmp_path: Path) -> None:
    disk = Disk(tmp_path, free=lambda path: 5)
    disk.prepare()
    taker = Taker(disk, OWNER, "files", say=lambda name, **_: name, home=lambda: None, reserve=0)
    file = io.BytesIO(b"123456")
    file.name = "a.txt"  # type: ignore[attr-defined]
    with pytest.raises(BadUpload, match="full") as caught:
        taker.take(Policy("files", (), 10, 1), [], [file])
    assert caught.value.status == 507
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    with pytest.raises(DiskFull):
        disk.announce(OWNER, Record("1" * 32, "f", "a", "", 6, (), 9, 1, 0.0), most=1, most_bytes=9, reserve=0)
