"""The source `mqtt`: topics of an MQTT 5 server, acknowledged behind a checkpoint, kept by the server while we are away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import BeforeValidator, Field, model_validator

from headrace.business.ports import Position
from headrace.business.streams.messages import Feed, Sharing, Start
from headrace.infrastructure.brokers.message_options import MessageOptions
from headrace.infrastructure.brokers.mqtt.connection import ReachedMqtt
from headrace.infrastructure.brokers.mqtt.feed import MqttFeed
from headrace.infrastructure.brokers.mqtt.protocol import Session

_DAY = 86_400
Topics = Annotated[
    tuple[str, ...], BeforeValidator(lambda written: (written,) if isinstance(written, str) else written), Field(min_length=1)
]

_LIMITS = (
    "An MQTT server drops what waits for us beyond its limit (Mosquitto: `max_queued_messages`, 1000 unless told otherwise), and forgets "
    "all sessions when it dies, unless they are persistent there."
)
_DURABILITY = (
    "What is published before the first subscription, or while we are away for longer than `session_seconds`, does not come.",
    _LIMITS,
    "Messages that were published with QoS 0 may be lost on their way.",
    "What is not behind a checkpoint when a connection breaks or a worker dies comes again, and may be there twice.",
)


class MqttSource(ReachedMqtt, MessageOptions):
    """Topics of an MQTT 5 server."""

    kind: ClassVar[str] = "mqtt"
    shorthand: ClassVar[str | None] = "topic"

    topic: Topics = Field(description="A topic, or a filter with `+` and `#`, or several of them")
    client_id: str | None = Field(
        None,
        min_length=1,
        max_length=64,
        description="By which the server knows our session; made of the pipeline, the worker and the topics when left out",
    )
    session_seconds: Annotated[int, Field(ge=1, le=0xFFFFFFFF)] = Field(
        7 * _DAY, description="How long the server keeps messages for us while we are away"
    )
    inflight: Annotated[int, Field(ge=1, le=65_535)] = Field(
        65_535, description="How many messages may wait for the next checkpoint. Between two checkpoints no more come than this"
    )

    @model_validator(mode="after")
    def _nothing_to_begin_at(self) -> Self:
        if "start" in self.model_fields_set:
            raise ValueError("`start` means nothing here: an MQTT server gives what is published once we have subscribed")
        return self

    @property
    def replayable(self) -> bool:
        return False

    def durability(self) -> Sequence[str]:
        return _DURABILITY

    def feed(self, project: Path, sharing: Sharing, after: Mapping[str, Position], start: Start | None = None) -> Feed:  # noqa: ARG002
        named = blake2b(",".join(self.topic).encode(), digest_size=4).hexdigest()
        client = self.client_id or f"headrace-{sharing.group}-{named}"
        alone = sharing.members == 1
        session = Session(client if alone else f"{client}-{sharing.member}", self.session_seconds, self.inflight)
        topics = self.topic if alone else [f"$share/headrace-{named}/{topic}" for topic in self.topic]
        reached = self.reached
        shown = f"{reached.shown()}, session `{session.client_id}`"
        return MqttFeed(lambda: reached.connect(self.home, session), shown, ",".join(self.topic), topics).open()
