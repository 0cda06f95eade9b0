"""The task form: what was typed, why it is refused, and what it means; and where a task is to be moved."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Self

from models import PRIORITIES, Task

LONGEST = 100  # characters
PROBLEMS = {  # by status: the word for the page, and words for the person
    400: ("bad-request", "That did not work."),
    404: ("gone", "That is not there any more."),
    409: ("already-done", "That invoice was sent already."),
    422: ("validation", "Write something, or choose a file."),
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class TaskForm:
    """The submitted fields as typed; a missing one is an empty one, so the form itself says so."""

    def __init__(self, title: str = "", priority: str = "", due: str = "") -> None:
        self.title = _CONTROL.sub(" ", title).strip()
        self.priority = priority
        self.due = due.strip()
        self.errors: dict[str, str] = {}

    @classmethod
    def of(cls, task: Task | None) -> Self:
        """The form as it opens: empty, or with a task in it."""
        if task is None:
            return cls(priority="normal")
        return cls(title=task.title, priority=task.priority, due=task.due.isoformat() if task.due else "")

    @classmethod
    def renamed(cls, task: Task, title: str) -> Self:
        """The form of a task whose title alone was sent."""
        form = cls.of(task)
        return cls(title, form.priority, form.due)

    def check(self) -> bool:
        if not self.title:
            self.errors["title"] = "Give the task a title."
        elif len(self.title) > LONGEST:
            self.errors["title"] = f"This is {len(self.title)} characters long; {LONGEST} fit."
        if self.priority not in PRIORITIES:
            self.errors["priority"] = "Choose high, normal or low."
        if self.due and _day(self.due) is None:
            self.errors["due"] = "Write the date as 2026-05-02, or leave it empty."
        return not self.errors

    @property
    def values(self) -> dict[str, Any]:
        """The columns to write. Only after `check`."""
        return {"title": self.title, "priority": self.priority, "due": _day(self.due)}


def destination(form: Mapping[str, Any]) -> dict[str, int | None] | None:
    """Read where to move a task: behind the task `after` (on top where empty) or one place `by`. None: neither is said."""
    after, by = form.get("after"), form.get("by")
    if by in ("-1", "1"):
        return {"by": int(by)}
    if after == "":
        return {"after": None}
    return {"after": int(after)} if isinstance(after, str) and re.fullmatch(r"[0-9]{1,18}", after) else None


def _day(words: str) -> date | None:
    # fromisoformat() takes week dates and years like 0026 too; nobody means those.
    if not re.fullmatch(r"20\d\d-\d\d-\d\d", words, re.ASCII):
        return None
    try:
        return date.fromisoformat(words)
    except ValueError:
        return None
