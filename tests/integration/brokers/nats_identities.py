"""Operators, accounts and users of NATS as `nsc` would make them, for tests of files of credentials. Not for production."""

from __future__ import annotations

import base64
import binascii
import json
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

#: The first byte of a public key by whose it is, and of a seed.
_KINDS, _SEED = {"operator": 14 << 3, "account": 0, "user": 20 << 3}, 18 << 3
_NO_LIMITS = dict.fromkeys(("subs", "conn", "leaf", "imports", "exports", "data", "payload"), -1)


class Identity:
    """A key pair of NATS."""

    def __init__(self, kind: str) -> None:
        self.kind, self._key = kind, Ed25519PrivateKey.generate()
        self.public = _written(bytes([_KINDS[kind]]) + self._key.public_key().public_bytes_raw())

    @property
    def seed(self) -> str:
        kind = _KINDS[self.kind]
        return _written(bytes([_SEED | kind >> 5, (kind & 31) << 3]) + self._key.private_bytes_raw())

    def vouches_for(self, other: Identity, **more: Any) -> str:
        """A JWT that says who somebody is."""
        claims = {
            "jti": "test", "iat": int(time.time()), "iss": self.public, "name": other.kind, "sub": other.public,
            "nats": {"type": other.kind, "version": 2, **more},
        }  # fmt: skip
        text = ".".join(_base64(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "ed25519-nkey"}, claims))
        return f"{text}.{_base64(self._key.sign(text.encode()))}"


class Realm:
    """An operator with one account and one user of it."""

    def __init__(self) -> None:
        operator, account, user = (Identity(kind) for kind in ("operator", "account", "user"))
        limits = {**_NO_LIMITS, "wildcards": True}
        self.config = (
            f"operator: {operator.vouches_for(operator)}\nresolver: MEMORY\n"
            f"resolver_preload: {{ {account.public}: {operator.vouches_for(account, limits=limits)} }}"
        )
        jwt = account.vouches_for(user, subs=-1, data=-1, payload=-1)
        self.credentials = (
            f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
        )


def _written(data: bytes) -> str:
    return base64.b32encode(data + binascii.crc_hqx(data, 0).to_bytes(2, "little")).decode().rstrip("=")


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
