"""What a client of Kafka says went wrong, in words for people, and whether trying again may help. Never shows a password."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from headrace.errors import NonRetryableError, RetryableError, RunError

if TYPE_CHECKING:
    from confluent_kafka import KafkaError

_WHO = "see that `user`, `password` and `mechanism` of the connection are those of the broker"
_RIGHT = "grant the user the right to this on the broker, or connect as one who has it"
_AWAY = "see that the broker runs, and that the addresses that it advertises can be reached from here"

#: By the name of the error: what to do, and whether it passes.
_KNOWN: dict[str, tuple[str, bool]] = {
    "_RESOLVE": ("see that the hosts in `servers` are spelt right and known here", True),
    "_AUTHENTICATION": (_WHO, False), "SASL_AUTHENTICATION_FAILED": (_WHO, False),
    "UNSUPPORTED_SASL_MECHANISM": ("see which mechanisms the broker has, and name one of them as `mechanism`", False),
    "_SSL": ("give in `ca` the certificate of who vouches for the broker, and see whether its port speaks TLS", False),
    "_UNKNOWN_TOPIC": ("see that the topic is spelt right, or create it", False),
    "UNKNOWN_TOPIC_OR_PART": ("see that the topic is spelt right, or create it", False),
    "_UNKNOWN_PARTITION": ("see that the topic was not made anew with fewer partitions", False),
    "TOPIC_AUTHORIZATION_FAILED": (_RIGHT, False), "GROUP_AUTHORIZATION_FAILED": (_RIGHT, False),
    "CLUSTER_AUTHORIZATION_FAILED": (_RIGHT, False),
    "MSG_SIZE_TOO_LARGE": ("raise `max.message.bytes` of the topic, or write smaller messages", False),
    "INVALID_REPLICATION_FACTOR": ("the broker has fewer brokers beside it than the topic wants replicas", False),
}  # fmt: skip

#: Errors that only say that others happened, and when they can be told no better reason is known.
_VAGUE = {"_ALL_BROKERS_DOWN", "_TRANSPORT", "_TIMED_OUT", "_FAIL"}


@contextmanager
def kafka_faults(shown: str, told: Sequence[KafkaError] = ()) -> Iterator[None]:
    """Turn what confluent-kafka raises into our errors. `told` is what the client said beside, where the reason often stands."""
    import confluent_kafka

    try:
        yield
    except confluent_kafka.KafkaException as error:
        raise explained(shown, error.args[0], told) from error


def explained(shown: str, error: KafkaError, told: Sequence[KafkaError] = ()) -> RunError:
    """Our error for one of theirs; of a vague one the reason that was told beside it."""
    if error.name() in _VAGUE:
        error = next((better for better in reversed(told) if better.name() not in _VAGUE), error)
    said = error.str() or error.name()
    if error.name() in _KNOWN:
        hint, passing = _KNOWN[error.name()]
    else:
        passing = error.retriable() or error.name() in _VAGUE or not error.fatal()
        hint = _AWAY if passing else "see the log of the broker"
    return (RetryableError if passing else NonRetryableError)(f"{shown}: {said}", hint=hint)
