"""Mergers of your own. Used by docs/howto/conflicts.md."""

from datetime import datetime

from htmx_rt.merge import Merger, whole


def read_moment(value):  # of a record, or as <input type="datetime-local"> sends it
    return value.isoformat(timespec="minutes") if isinstance(value, datetime) else value or ""


moment = Merger(whole.merge, read=read_moment)


def furthest(base, mine, theirs):
    return max(mine, theirs), True  # True: nobody has to be asked


def read_progress(value):
    return int(value) if str(value).isdigit() else 0


progress = Merger(furthest, read=read_progress)
