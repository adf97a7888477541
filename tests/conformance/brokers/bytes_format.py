"""A format that reads nothing: the laws of brokers look at payloads as they came."""

from __future__ import annotations

from typing import Any, ClassVar

from headrace.business.model.plugin import Plugin


class Unread(Plugin):
    kind: ClassVar[str] = "unread"

    def scan(self, declared: Any, project: Any) -> Any:
        raise AssertionError("no law of brokers looks into messages")

    reader = writer = scan


UNREAD = Unread()
