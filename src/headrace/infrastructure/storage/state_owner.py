"""Who may save the state of a stream: the last who opened it, unless somebody with a higher token of the same issuer was there. Not where
that is written down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field

from headrace.business.ports import Fence
from headrace.errors import LeaseLost, NonRetryableError
from headrace.records import record


@record
class Owner:
    """The holder of a stream, and the highest token of each issuer."""

    fence: Fence | None = None
    tokens: Mapping[str, int] = field(default_factory=dict)

    def admitting(self, fence: Fence, shown: str) -> Owner:
        """With a new holder. Raises `LeaseLost` when a higher token of its issuer is known."""
        if fence.token < self.tokens.get(fence.issuer, fence.token):
            raise lost(shown)
        return Owner(fence, {**self.tokens, fence.issuer: fence.token})

    def demand(self, fence: Fence | None, shown: str) -> None:
        """Raises `LeaseLost` for everybody but the holder."""
        if fence != self.fence:
            raise lost(shown)

    @property
    def text(self) -> str:
        """What `of` reads again."""
        holder = {"issuer": self.fence.issuer, "token": self.fence.token} if self.fence else None
        return json.dumps({"holder": holder, "tokens": dict(self.tokens)}, ensure_ascii=False)

    @classmethod
    def of(cls, text: str | bytes, shown: str) -> Owner:
        """Raises `NonRetryableError` for what is no `text`: whom it would refuse cannot be told any more."""
        try:
            written = json.loads(text)
            holder = written["holder"]
            fence = Fence(str(holder["issuer"]), int(holder["token"])) if holder else None
            return cls(fence, {str(issuer): int(token) for issuer, token in written["tokens"].items()})
        except (ValueError, KeyError, TypeError, AttributeError):
            raise NonRetryableError(
                f"{shown}: is not what is written there, so it cannot be told who may save",
                hint="see that nobody else runs the stream, then remove it",
            ) from None


def demand_opened(fence: Fence | None, shown: str) -> Fence:
    """By what right it was opened. Raises `NonRetryableError` when it was not."""
    if fence is None:
        raise NonRetryableError(f"{shown}: nothing is saved before `open` has said by what right")
    return fence


def lost(shown: str) -> LeaseLost:
    return LeaseLost(
        f"{shown}: another worker took the stream over; nothing was saved",
        hint="let the other worker go on with it; this one must not",
    )
