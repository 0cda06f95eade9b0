"""An app whose bus cannot be reached."""

from starlette.applications import Starlette

from htmx_rt import Realtime, RealtimeMiddleware
from htmx_rt.buses import MemoryBus
from htmx_rt.exceptions import BusUnavailable
from htmx_rt.types import Limits


class Unreachable(MemoryBus):
    """A bus that does not start."""

    async def start(self) -> None:
        raise BusUnavailable("There is nobody at redis://nowhere.")


rt = Realtime(secret="a secret of thirty-two bytes or more", name="broken", bus=Unreachable(Limits()))
app = RealtimeMiddleware(Starlette(), rt=rt)
