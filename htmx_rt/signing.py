"""Signing what the browser carries for us: the identity cookie, grants, toasts. One salt a purpose and a name."""

from __future__ import annotations

import hashlib
import json
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Sequence
from functools import lru_cache
from hmac import compare_digest
from typing import Any, Final, NamedTuple

from itsdangerous import BadData, URLSafeSerializer

from .exceptions import ConfigurationError

MIN_SECRET: Final = 32  # bytes
MAX_TOKEN: Final = 4096  # characters; longer ones are not even looked at


class Grant(NamedTuple):
    """A signed permission to use a topic, written by a macro while a page renders."""

    topic: str
    caps: str
    browser: str
    user: str | None
    at: str  # the cursor at which the request arrived
    issued: float  # Unix seconds of the render; kept over renewals
    expires: float  # Unix seconds
    lang: str
    meta: dict[str, Any] | None = None  # what others are told of the tab, where it is counted


_REMEMBERED: Final = 256  # grants whose signature was found right, as each opening looks at them several times
_SHORT: Final = 512  # bytes; compressing less takes longer than it saves
_BLOCK: Final = 64  # bytes of SHA-256's
_WITHOUT_META: Final = 8  # fields of grants of an earlier release, on pages that are open


def _key(secret: object) -> bytes:
    key = secret.encode() if isinstance(secret, str) else secret
    if isinstance(key, bytes) and len(key) >= MIN_SECRET:
        return key
    # A secret is told by its length or type only: the message ends up in logs.
    what = f"{len(key)} bytes" if isinstance(key, bytes) else "nothing" if not key else type(key).__name__
    raise ConfigurationError(
        f"Realtime(secret=…) got {what}; {MIN_SECRET} bytes are the least. Is the variable set? "
        'Make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"'
    )


class Signer:
    """Sign and verify small JSON values; the newest key signs, all keys verify."""

    def __init__(self, secret: str | bytes | Sequence[str | bytes], *, name: str) -> None:
        several = isinstance(secret, Sequence) and not isinstance(secret, str | bytes)
        keys = [_key(one) for one in (secret if several and secret else [secret])]
        self._known = lru_cache(_REMEMBERED)(self._read_grant)
        self._keys = keys[::-1]  # itsdangerous wants the oldest first
        self._name = name
        self._serializers = {
            purpose: self._serializer(purpose)
            for purpose in ("identity", "grant", "toasts", "base", "draft", "ticket", "upload", "handle", "doctor")
        }
        # Purpose → what signs for it, by the newest key first.
        self._macs = {
            purpose: tuple(_mac(signer.derive_key(key)) for key in reversed(signer.secret_keys))
            for purpose, serializer in self._serializers.items()
            for signer in [serializer.make_signer(serializer.salt)]
        }

    @property
    def fingerprint(self) -> str:
        """A short name of the newest key that tells nothing about it."""
        return hashlib.sha256(b"htmx-rt.fingerprint" + self._keys[-1]).hexdigest()[:16]

    def dumps(self, purpose: str, value: Any) -> str:
        """Return `value` signed for `purpose`."""
        text = _encode(value).encode()
        if len(text) > _SHORT:
            return str(self._serializers[purpose].dumps(value))
        payload = _to_base64(text)
        return f"{payload.decode()}.{self._macs[purpose][0](payload).decode()}"

    def loads(self, purpose: str, token: str, *, most: int = MAX_TOKEN) -> Any | None:
        """Return what was signed for `purpose`, or None: bad, foreign and forged tokens are not told apart."""
        if not token or len(token) > most:
            return None
        try:
            payload, _, signature = token.encode("ascii").rpartition(b".")
            for mac in self._macs[purpose]:
                if compare_digest(mac(payload), signature):
                    break
            else:
                return None
            if payload.startswith(b"."):  # compressed
                return self._serializers[purpose].load_payload(payload)
            return _decode(a2b_base64(payload.translate(_FROM_URL) + b"==").decode())[0]
        except (BadData, ValueError, RecursionError):
            return None

    def sign_grant(self, grant: Grant) -> str:
        """Return the token of `grant`."""
        return self.dumps("grant", list(grant))

    def read_grant(self, token: object) -> Grant | None:
        """Return the authentic grant in `token`, expired or not, else None."""
        return self._known(token) if isinstance(token, str) and len(token) <= MAX_TOKEN else None

    def _read_grant(self, token: str) -> Grant | None:
        value = self.loads("grant", token)
        if not isinstance(value, list) or len(value) not in (_WITHOUT_META, len(Grant._fields)):
            return None
        return Grant(*value)

    def _serializer(self, purpose: str) -> URLSafeSerializer:
        return URLSafeSerializer(
            self._keys,
            salt=f"htmx-rt.{self._name}.{purpose}",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )


# The same tokens as those of itsdangerous itself, at a fraction of the time: every page and every stream needs several.

_encode: Final = json.JSONEncoder(separators=(",", ":")).encode
_decode: Final = json.JSONDecoder().raw_decode  # nothing follows in what we have written ourselves
_FROM_URL: Final = bytes.maketrans(b"-_", b"+/")
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")


def _to_base64(value: bytes) -> bytes:
    return b2a_base64(value, newline=False).translate(_TO_URL).rstrip(b"=")


def _mac(key: bytes) -> Callable[[bytes], bytes]:
    """Return what signs by HMAC with SHA-256 and `key`, which is taken in once and not anew for each token."""
    padded = key.ljust(_BLOCK, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded)).copy
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded)).copy

    def sign(value: bytes) -> bytes:
        first, second = inner(), outer()
        first.update(value)
        second.update(first.digest())
        return _to_base64(second.digest())

    return sign
