"""A busy hour: three versions of htmx, cut lines, a killed and a replaced server; in the end all screens are right."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .boardserver import Board
from .people import Person, sample, samples, until

STEPS = 80
# What a killed server was working on has an unknown outcome after ten seconds, where it is a minute for users.
QUICK = "from htmx_rt.types import Limits; of = Limits.of; Limits.of = lambda limits: of({'receipt_lease': 10.0} | (limits or {}))"
# What browser and htmx log of a server that was killed, and of a task that somebody else has just deleted.
EXPECTED = (
    404,
    409,
    410,
    422,
    503,
    "htmx:sendError",
    "htmx:oobErrorNoTarget",
    "htmx:afterRequest",
    "Failed to fetch",
    "Response Status Error Code 4",
)

# One act of a person who waits until htmx has wired what it brought.
ACT = """([kind, chance, words]) => {
  const press = (element) => !element || element.closest(".htmx-swapping,.htmx-settling,.htmx-added") || element.click();
  const rows = [...document.querySelectorAll(".task")];
  const row = rows[Math.floor(chance * rows.length)];
  if (kind === "tick") return press(row?.querySelector(".tick"));
  if (kind === "edit") return press(row?.querySelector("a"));
  if (kind === "delete") return press(document.querySelector(".delete button"));
  if (kind === "cut") return htmxRt.simulateDisconnect(chance < 0.5);
  document.querySelector("#title").value = words;
  document.querySelector("#priority").value = ["high", "normal", "low"][Math.floor(chance * 3)];
  press(document.querySelector("#send"));
}"""
KINDS = ["tick"] * 4 + ["add"] * 3 + ["edit"] * 3 + ["delete", "cut"]

# Never to be seen: an id twice, rows out of their order.
WRONG = """() => {
  const rows = [...document.querySelectorAll("#tasks > [data-pos]")];
  const sorted = rows.every((row, index) => !index || rows[index - 1].dataset.pos <= row.dataset.pos);
  const named = rows.filter((row) => row.id); // what is on its way has no id yet
  return { doubled: named.length - new Set(named.map((row) => row.id)).size, sorted };
}"""

# Waits until the screen is as a fresh render; tells what differs if that does not come.
SETTLE = """(html) => {
  // What was typed and not accepted stands in the list until its person decides.
  const read = (doc) => [...doc.querySelectorAll("#tasks > :not([rt-tmp]), #summary > *")].map((element) => [
    element.id, element.className.trim(), element.getAttribute("rt-version"),
    element.querySelector(".tick")?.getAttribute("aria-checked"), element.textContent.replace(/\\s+/g, " ").trim(),
  ].join(" "));
  const fresh = read(new DOMParser().parseFromString(html, "text/html"));
  return new Promise((resolve) => {
    const look = () => {
      const now = read(document);
      if (now.join() === fresh.join()) resolve([]);
      return now;
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
    setTimeout(() => resolve([look(), fresh]), 8_000);
    look();
  });
}"""


@pytest.mark.parametrize("delay", ["0", "300"], ids=["fast answers", "slow answers"])
def test_a_busy_hour(tmp_path: Path, person: Callable[..., Person], delay: str) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    ends = dict(zip(chance.sample(range(10, STEPS - 10), 2), ("kill", "terminate"), strict=True))
    with Board(tmp_path, QUICK) as board:
        pages: list[Page] = []
        for version, name in (("4", "ada"), ("2", "grace"), ("2.0.4", "mei")):
            visitor = person(board.address, version=version, expected=EXPECTED).sign_in(name)
            visitor.context.add_cookies([{"name": "demo-delay", "value": delay, "url": board.address}])
            pages.append(visitor.open())
            sample(pages[-1], "wrong", WRONG)
        for number in range(STEPS):
            act = [chance.choice(KINDS), chance.random(), f"Job {number} of {seed}"]
            chance.choice(pages).evaluate(ACT, act)
            if number in ends:
                getattr(board, ends[number])()
                board.start()
        for page in pages:
            page.evaluate("htmxRt.simulateDisconnect(false), htmxRt.retry()")
            until(page, "connected")
        for page in pages:
            expect(page.locator(".htmx-request")).to_have_count(0)
            # What a killed server was working on is nobody's for a while; then it is known that nobody knows.
            expect(page.locator(".rt-pending, .rt-waiting")).to_have_count(0, timeout=90_000)
        for page in pages:  # what was deleted can be taken back for a while, and counts as there until then
            expect(page.locator(".is-leaving")).to_have_count(0, timeout=30_000)
        with board.curl() as mei:
            fresh = mei.get("/").text
        for page in pages:
            assert page.evaluate(SETTLE, fresh) == []
            assert samples(page, "wrong") == [{"doubled": 0, "sorted": True}]
