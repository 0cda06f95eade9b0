"""What a request of the client asks to be published: one message, several at once, or the same to several topics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import AnyStr


def messages(topic: str, body: AnyStr, headers: Mapping[str, str]) -> Iterator[tuple[str, AnyStr]]:
    """Yield topics and bodies."""
    name, _, number = topic.rpartition("-")
    batch, topics = int(headers["x-batch"]), int(headers["x-topics"])
    size = len(body) // batch
    for start in range(0, len(body), size):
        for further in range(topics):
            yield f"{name}-{int(number) + further}", body[start : start + size]
