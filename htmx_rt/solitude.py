"""Noticing a second worker on a bus that only one can hear."""

from __future__ import annotations

import logging
import os
import tempfile
import weakref

log = logging.getLogger("htmx_rt")


class Solitude:
    """An advisory lock on a file named after the app: two processes cannot hold it."""

    def __init__(self, name: str, fingerprint: str) -> None:
        self.path = os.path.join(tempfile.gettempdir(), f"htmx-rt-{name}-{fingerprint}.lock")
        self._release: weakref.finalize[..., Solitude] | None = None
        self._owner = 0

    @property
    def held(self) -> bool:
        """Whether this process has the lock."""
        return self._release is not None and self._owner == os.getpid()

    def claim(self) -> bool:
        """Take the lock; warn loudly and return False where another process has it."""
        if self._release is not None and self._owner == os.getpid():
            return True
        try:
            import fcntl
        except ImportError:  # not on Windows
            return True
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            log.warning(
                "Another process of this app is running, and both use the in-process bus (bus='memory://'): people on "
                "different workers will NOT see each other's changes. Run one worker, or use a bus that workers share."
            )
            return False
        # Not every app is stopped in so many words; the lock goes with the last reference.
        self._release, self._owner = weakref.finalize(self, os.close, descriptor), os.getpid()
        return True

    def release(self) -> None:
        """Give the lock back."""
        if self._release is not None and self._owner == os.getpid():
            self._release()
        self._release = None
