from __future__ import annotations

from .kit import open_bus as open_bus
