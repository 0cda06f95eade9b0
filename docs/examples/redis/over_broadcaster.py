"""The bus over broadcaster: at most once."""

from broadcaster import Broadcast

from htmx_rt import Realtime
from htmx_rt.contrib.broadcaster import BroadcasterBus

bus = BroadcasterBus(lambda: Broadcast("memory://"))
rt = Realtime(secret="a secret of thirty-two bytes or more", bus=bus)
