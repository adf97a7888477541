"""Who may publish to a table, kept outside of it: it is there before the table, and stays when somebody drops it. Not who is refused.

Each token is a note of its own and is never changed, so the highest counts and of two who come at once none is lost. Lower ones of
the same issuer are removed afterwards.
"""

from __future__ import annotations

import hashlib
import json

from headrace.business.ports import Fence
from headrace.errors import NonRetryableError
from headrace.infrastructure.connectors.fence_file import Tokens, admitted, as_json, tokens
from headrace.infrastructure.connectors.lakes.notes import Notes


def known(notes: Notes, shown: str) -> Tokens:
    """The highest token of each pipeline and issuer."""
    found: Tokens = {}
    for name in notes.names():
        data = notes.read(name)
        if data is None:  # removed since, because a higher one is there
            continue
        for key, token in _read(data, f"{shown}: {name}").items():
            found[key] = max(token, found.get(key, token))
    return found


def remember(notes: Notes, pipeline: str, fence: Fence, shown: str) -> None:
    """Add a token, and let those go that do not count any more."""
    before = known(notes, shown)
    notes.create(_name(pipeline, fence.issuer, fence.token), _written(pipeline, fence.issuer, fence.token))
    kept = admitted(before, pipeline, fence)
    gone = [_name(*key, token) for key, token in before.items() if kept.get(key, -1) != token]
    notes.remove(gone)


def _name(pipeline: str, issuer: str, token: int) -> str:
    digest = hashlib.sha256(f"{pipeline}\0{issuer}".encode()).hexdigest()[:16]
    return f"{digest}-{token}.json"


def _written(pipeline: str, issuer: str, token: int) -> bytes:
    return json.dumps(as_json({(pipeline, issuer): token}), ensure_ascii=False).encode()


def _read(data: bytes, shown: str) -> Tokens:
    try:
        return tokens(json.loads(data))
    except (ValueError, KeyError, TypeError):
        # Whom it would refuse cannot be told any more, so nobody is let in.
        raise NonRetryableError(
            f"{shown}: is not what Headrace writes there, so it cannot tell who may publish",
            hint="see that no other worker runs the pipeline, then remove it",
        ) from None
