"""One flush: who gets which bytes, the same object for all who hold the same, handed out without holding the loop."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Final

from .gallery import Key, Name
from .lines import Body, body
from .log import Entry
from .reader import Reader

# A flush lets others run after so many seconds, or readers. uvloop writes to the sockets only at the end of a turn,
# which the clock does not see; and what is published between two turns goes out together in the next round, in one
# write a reader. So many readers cost a core a millisecond; half as many cost more in turns than they save.
SLICE: Final = 0.002
TURN: Final = 128
_LOOK: Final = 32  # readers between two looks at the clock

News = Sequence[tuple[Name, Entry | bytes]]


def addressed(
    news: News, concerned: Callable[[Name], Collection[Reader]], encode: Callable[[Entry], bytes]
) -> Iterator[tuple[Reader, Body]]:
    """Yield each reader with its message: all who hold the same of these topics get the same object."""

    # Name → its items, with their places among all; each is encoded once, whoever gets it.
    items: dict[Name, list[tuple[int, bytes]]] = {}
    for place, (name, item) in enumerate(news):
        items.setdefault(name, []).append((place, encode(item) if isinstance(item, Entry) else item))

    def joined(names: tuple[Name, ...]) -> Body:
        if len(names) == 1:
            own = items[names[0]]
            return body(own[0][1] if len(own) == 1 else b"".join([item for _, item in own]))
        return body(b"".join([item for _, item in sorted(chain.from_iterable(items[name] for name in names))]))

    if len(items) == 1:
        (only,) = items
        readers = tuple(concerned(only))
        return zip(readers, repeat(joined((only,)))) if readers else iter(())
    holding: dict[Reader, tuple[Name, ...]] = {}
    for name in items:
        alone = (name,)
        for reader in concerned(name):
            others = holding.get(reader)
            holding[reader] = alone if others is None else (*others, name)

    def messages() -> Iterator[tuple[Reader, Body]]:
        known: dict[tuple[Name, ...], Body] = {}
        for reader, names in holding.items():
            message = known.get(names)
            if message is None:
                message = known[names] = joined(names)
            yield reader, message

    return messages()


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
            if not count % _LOOK and not whole and (count >= TURN or self.clock() > until):
                return False
        return True
