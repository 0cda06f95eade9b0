"""The macros: what templates see of us, as `rt`. A file for each theme."""

from __future__ import annotations

from .feedback import FeedbackMacros
from .files import FileMacros
from .lists import ListMacros
from .loading import LoadingMacros
from .pages import PageMacros
from .progress import ProgressMacros


class Macros(PageMacros, LoadingMacros, ProgressMacros, ListMacros, FeedbackMacros, FileMacros):
    """The object templates know as `rt`. Each macro returns safe markup."""
