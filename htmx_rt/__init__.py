"""Real-time for server-rendered Python apps: an ASGI middleware, Jinja macros and one htmx extension."""

from .middleware import RealtimeMiddleware as RealtimeMiddleware
from .realtime import Realtime as Realtime
from .types import User as User

__version__ = "0.1.0"
