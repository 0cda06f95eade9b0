"""The examples of files, run over HTTP as browsers without scripts do."""

from __future__ import annotations

import json

import pytest

from htmx_rt.testing import Browser, running

from ..upload_kit import PNG, Sender, multipart
from .doc_kit import Load

pytestmark = pytest.mark.anyio


async def test_a_claim_with_photographs(load: Load) -> None:
    example = load("uploads/app.py")
    async with running(example.app), Browser(example.app) as ada:
        token = (await ada.get("/")).select('[name="rt-upload.photos"]')[0]["value"]

        async def claim(text: str, name: str, contents: bytes) -> int:
            body, kind = multipart([("rt-upload.photos", token), ("text", text)], [(name, contents, "image/png")])
            body = body.replace(b'name="files"', b'name="photos"')
            return (await ada.request("POST", "/claims", body, headers={"content-type": kind})).status

        assert await claim("", "a.png", PNG) == 422
        assert await claim("Hail", "a.png", b"<html>") == 415
        assert await claim("Hail", "../a.png", PNG) == 303
    ((text, [(name, stored)]),) = example.claims
    assert (text, name) == ("Hail", "a.png")
    assert [path.name for path in example.pictures.iterdir()] == [stored]


async def test_flask_takes_files_in_a_plain_function(load: Load) -> None:
    example = load("uploads/flask_app.py")
    app = example.app
    async with running(app), Browser(app) as ada:
        page = await ada.get("/")
        token = page.select('[name="rt-upload.photos"]')[0]["value"]
        body, kind = multipart([("rt-upload.photos", token)], [("a.png", PNG, "text/html")])
        body = body.replace(b'name="files"', b'name="photos"')
        answer = await ada.request("POST", "/", body, headers={"content-type": kind})
        ((*said, stored),) = json.loads(answer.text)
        assert said == ["a.png", "image/png", len(PNG)]
        assert (example.pictures / stored).read_bytes() == PNG
        wrong, kind = multipart([("rt-upload.photos", token)], [("a.png", b"<html>", "image/png")])
        wrong = wrong.replace(b'name="files"', b'name="photos"')
        answer = await ada.request("POST", "/", wrong, headers={"content-type": kind})
        assert (answer.status, answer.text[:6]) == (415, "a.png:")
        ours = page.text.replace("rt-upload.photos", "rt-upload.files")
        sender = Sender(ada, type(page)(page.status, page.headers, ours, page.path))
        handle = await sender.whole("b.png", PNG)
        body, kind = multipart([("rt-upload.photos", token), ("rt-upload.photos", handle)])
        answer = await ada.request("POST", "/", body, headers={"content-type": kind})
        assert json.loads(answer.text)[0][:3] == ["b.png", "image/png", len(PNG)]
