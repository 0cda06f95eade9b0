"""One flush: who gets which bytes, the same object for all who hold the same, handed out without holding the loop."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Final

from .gallery import Key, Name
from .lines import Body, body
from .log import Entry
from .reader import Reader

SLICE: Final = 0.004  # seconds that a flush holds the loop before it lets others run
_LOOK: Final = 64  # readers between two looks at the clock

News = Sequence[tuple[Name, Entry | bytes]]


def addressed(
    news: News, concerned: Callable[[Name], Collection[Reader]], encode: Callable[[Entry], bytes]
) -> Iterator[tuple[Reader, Body]]:
    """Yield each reader with its message: all who hold the same of these topics get the same object."""

    def joined(news: News) -> Body:
        return body(b"".join([encode(item) if isinstance(item, Entry) else item for _, item in news]))

    names = list(dict.fromkeys(name for name, _ in news))
    if len(names) == 1:
        readers = tuple(concerned(names[0]))
        return zip(readers, repeat(joined(news))) if readers else iter(())
    bits = {name: 1 << number for number, name in enumerate(names)}
    holding: dict[Reader, int] = {}
    for name, bit in bits.items():
        for reader in concerned(name):
            holding[reader] = holding.get(reader, 0) | bit
    messages = {
        mask: joined([(name, item) for name, item in news if bits[name] & mask]) for mask in set(holding.values())
    }
    return iter([(reader, messages[mask]) for reader, mask in holding.items()])


@dataclass(slots=True)
class Round:
    """What is left of a flush."""

    todo: Iterator[tuple[Reader, Body]]
    before: int | None  # the position before it, where it brings something of the log
    after: int  # the position that it brings readers to
    pictures: frozenset[Key]
    put_behind: Callable[[Reader, int], None]
    clock: Callable[[], float]

    def run(self, *, whole: bool = False) -> bool:
        """Hand out for a moment, or the `whole` of it; return whether that was all."""
        until = self.clock() + SLICE
        for count, (reader, message) in enumerate(self.todo, 1):
            if not reader.busy:
                if self.before is None or reader.position < self.after:
                    reader.offer(message)
                else:  # it was behind, and has been brought forward from the log while others had their turn
                    reader.owe(reader.views & self.pictures)
            elif reader.final is None:
                if self.before is not None and (reader.behind or reader.position < self.after):
                    self.put_behind(reader, self.before)
                reader.owed |= reader.views & self.pictures
            if not count % _LOOK and not whole and self.clock() > until:
                return False
        return True
