"""What an open stream keeps of its request's headers, for the question that is asked every five minutes."""

from __future__ import annotations

from htmx_rt.endpoints.whoami import pack, unpack

BROWSER = [(b"host", b"a.example"), (b"user-agent", b"Fire: fox"), (b"sec-fetch-site", b"same-origin")]


def own(number: int) -> list[tuple[bytes, bytes]]:
    return [
        (b"cookie", b"who=%d" % number),
        (b"x-forwarded-for", b"one"),
        (b"x-forwarded-for", b"two"),
        (b"accept", b"*/*"),
    ]


def test_nothing_is_lost_but_what_belongs_to_the_request_that_came_in() -> None:
    mixed = [own(1)[0], *BROWSER, *own(1)[1:]]
    assert unpack(pack(mixed)) == [*BROWSER, *own(1)[:3]]
    assert unpack(pack([])) == []


def test_what_all_of_one_browser_say_is_kept_once() -> None:
    one, two = pack([*BROWSER, *own(1)]), pack([*BROWSER, *own(2)])
    assert one[0] is two[0]
    assert one[1] != two[1]


def test_what_is_long_is_not_remembered() -> None:
    long = [(b"user-agent", b"x" * 3000)]
    assert pack(long)[0] is not pack(long)[0]
    assert unpack(pack(long)) == long
