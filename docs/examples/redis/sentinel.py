"""The bus over Redis Sentinel: a client is made where it is used, on a thread of the kit's own."""

from redis.asyncio import Redis, Sentinel
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from htmx_rt import Realtime
from htmx_rt.buses.redis import RedisBus
from htmx_rt.types import Limits


def connect() -> Redis:
    sentinel = Sentinel([("10.0.0.1", 26379), ("10.0.0.2", 26379)], socket_timeout=1)
    return sentinel.master_for("board", socket_timeout=5, retry=Retry(NoBackoff(), 0))


bus = RedisBus(connect, Limits(), name="board")
rt = Realtime(secret="a secret of thirty-two bytes or more", name="board", bus=bus)
