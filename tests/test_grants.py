from __future__ import annotations

import pytest

from htmx_rt.buses import Mark, MemoryBus
from htmx_rt.exceptions import BadTopic, ConfigurationError
from htmx_rt.grants import Grants
from htmx_rt.signing import Signer
from htmx_rt.types import Limits, User

from .kit import SECRET, Clock

pytestmark = pytest.mark.anyio
ADA = User("ada")


class House:
    def __init__(self) -> None:
        self.clock = Clock()
        self.bus = MemoryBus(Limits(), clock=self.clock, wall_clock=self.clock)
        self.signer = Signer(SECRET, name="app")
        self.grants = Grants(signer=self.signer, bus=self.bus, limits=Limits(), clock=self.clock)

    def issue(self, topic: str = "t", *, browser: str = "b", user: User | None = ADA, caps: str = "r") -> str:
        return self.grants.issue(topic, browser=browser, user=user, at="1~e~0", caps=caps)


@pytest.fixture
def house() -> House:
    return House()


async def test_a_grant_lives_for_a_quarter_of_an_hour_and_a_renewal_keeps_where_and_when_it_began(house: House) -> None:
    first = house.signer.read_grant(house.issue())
    assert first is not None
    assert first.expires - first.issued == 900
    house.clock.advance(600)
    second = house.signer.read_grant(house.grants.renew(first))
    assert second == first._replace(expires=first.expires + 600)


@pytest.mark.parametrize("user", [None, User("bob")])
def test_a_personal_topic_is_granted_to_its_owner_only(house: House, user: User | None) -> None:
    with pytest.raises(BadTopic, match="somebody else"):
        house.issue("user:ada", user=user)
    house.issue("user:ada")


async def test_a_grant_without_the_right_to_read_reads_nothing(house: House) -> None:
    verdict = await house.grants.examine([house.issue(caps="ps")], [], browser="b", user=ADA)
    assert (verdict.accepted, verdict.refused) == ({}, ["t"])


async def test_each_topic_has_one_answer_the_best(house: House) -> None:
    stale = house.issue()
    house.bus.revoke(Mark("topic", "t", None, house.clock()))
    house.clock.advance(1)
    tokens = [stale, house.issue(browser="other"), house.issue(), house.issue(user=User("bob")), "forged"]
    for given in (tokens, tokens[::-1]):
        verdict = await house.grants.examine(given[:2], given[2:], browser="b", user=ADA)
        assert set(verdict.accepted) == {"t"}
        assert (verdict.refused, verdict.again) == ([], [])
        assert verdict.foreign
        assert len(verdict.holders["t"]) == 1


async def test_resumed_and_fresh_holders_are_told_apart(house: House) -> None:
    token = house.issue()
    verdict = await house.grants.examine([token], [token, token], browser="b", user=ADA)
    assert [fresh for _, fresh in verdict.holders["t"]] == [False, True, True]


async def test_without_a_cookie_only_young_grants_of_the_same_user_count(house: House) -> None:
    token = house.issue(browser="b")
    assert (await house.grants.examine([], [token], browser=None, user=ADA)).young is not None
    assert (await house.grants.examine([], [token], browser=None, user=None)).young is None
    house.clock.advance(61)
    verdict = await house.grants.examine([], [token], browser=None, user=ADA)
    assert (verdict.young, verdict.again) == (None, ["t"])


async def test_the_first_policy_that_matches_decides(house: House) -> None:
    house.grants.add_policy("board:{id}", lambda user, id: id == "1")
    house.grants.add_policy("{kind}:{id}", lambda user, kind, id: True)
    assert await house.grants.allowed(ADA, ["board:1", "board:2", "list:2", "plain"]) == [True, False, True, True]


def test_a_pattern_that_can_never_match_is_refused_when_it_is_declared(house: House) -> None:
    with pytest.raises(ConfigurationError):
        house.grants.add_policy("board {id}", lambda user, id: True)


async def test_a_page_gets_its_own_token_back_as_long_as_that_outlives_a_stream(house: House) -> None:
    token = house.issue()
    verdict = await house.grants.examine([], [token], browser="b", user=ADA)
    assert house.grants.renewed(verdict) == {"t": token}
    house.clock.advance(900 - 720)  # a stream lives for 720 s at the most
    assert house.grants.renewed(verdict) == {"t": token}
    house.clock.advance(1)
    new = house.signer.read_grant(house.grants.renewed(verdict)["t"])
    old = house.signer.read_grant(token)
    assert new is not None
    assert old is not None
    assert new == old._replace(expires=old.expires + 181)


async def test_of_several_grants_of_a_topic_a_page_gets_one_that_says_what_all_permit(house: House) -> None:
    tokens = [house.issue(caps="r"), house.issue(caps="rp")]
    verdict = await house.grants.examine([], tokens, browser="b", user=ADA)
    renewed = house.signer.read_grant(house.grants.renewed(verdict)["t"])
    assert renewed is not None
    assert renewed.caps == "pr"
