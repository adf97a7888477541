"""Publishing by AMQP with many messages underway: comes back when the server has confirmed every one. Not what is published.

Pika's blocking connection waits for the confirmation of each message before it sends the next; this drives its other one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.brokers.rabbitmq.faults import explained

if TYPE_CHECKING:
    import pika

#: How many are underway at the most, so that neither side has to hold a whole epoch.
_UNDERWAY = 5000
_PATIENCE_SECONDS = 60


class Publishing:
    """One connection with one channel that confirms. It is driven while something is waited for, and by nobody else."""

    def __init__(self, parameters: pika.ConnectionParameters, shown: str) -> None:
        import pika

        self._shown = shown
        self._fault: BaseException | None = None
        self._channel: Any = None
        self._ready = self._late = self._closing = False
        self._wanted: Callable[[], bool] = lambda: False
        self._sent = 0
        self._unconfirmed: set[int] = set()
        self._refused: str | None = None
        self._connection = pika.SelectConnection(
            parameters, on_open_callback=self._opened, on_open_error_callback=self._failed, on_close_callback=self._failed
        )
        with ExitStack() as opened:
            opened.callback(self.close)
            self._until(lambda: self._ready)
            opened.pop_all()

    def publish(self, exchange: str, routing_key: str, messages: Sequence[tuple[bytes, pika.BasicProperties]]) -> None:
        for begin in range(0, len(messages), _UNDERWAY):
            self._refused = None
            for payload, properties in messages[begin : begin + _UNDERWAY]:
                self._channel.basic_publish(exchange, routing_key, payload, properties, mandatory=True)
                self._sent += 1
                self._unconfirmed.add(self._sent)
            self._until(lambda: not self._unconfirmed)
            if self._refused is not None:
                raise NonRetryableError(
                    f"{self._shown}: {self._refused}",
                    hint="declare the queue, or bind one to the exchange for this routing key",
                )

    def close(self) -> None:
        self._closing = True
        if not (self._connection.is_closed or self._connection.is_closing):
            self._connection.close()
        self._until(lambda: self._connection.is_closed)
        self._connection.ioloop.close()

    def _until(self, done: Callable[[], bool]) -> None:
        """Drive the connection until something is so. Raises what broke it."""
        loop = self._connection.ioloop
        self._late = False
        timer = loop.call_later(_PATIENCE_SECONDS, self._is_late)
        self._wanted = done
        if not self._over():
            loop.start()
        loop.remove_timeout(timer)
        if self._closing:
            return
        if self._fault is not None:
            raise explained(self._shown, self._fault)
        if self._late:
            raise RetryableError(f"{self._shown}: the server did not answer in time", hint="it is sent again")

    def _over(self) -> bool:
        return self._wanted() or (self._fault is not None and not self._closing)

    def _look(self) -> None:
        if self._over():
            self._connection.ioloop.stop()

    def _is_late(self) -> None:
        self._late = True
        self._connection.ioloop.stop()

    def _opened(self, connection: Any) -> None:
        connection.channel(on_open_callback=self._with_channel)

    def _with_channel(self, channel: Any) -> None:
        self._channel = channel
        channel.add_on_close_callback(self._failed)
        channel.add_on_return_callback(self._returned)
        channel.confirm_delivery(self._answered, callback=self._confirms)

    def _confirms(self, _frame: Any) -> None:
        self._ready = True
        self._look()

    def _failed(self, _whose: Any, reason: Any) -> None:
        self._fault = self._fault or (reason if isinstance(reason, BaseException) else RetryableError(str(reason)))
        self._look()

    def _returned(self, _channel: Any, method: Any, _properties: Any, _body: Any) -> None:
        self._refused = f"a message was returned: {method.reply_text}"

    def _answered(self, frame: Any) -> None:
        import pika

        method = frame.method
        if isinstance(method, pika.spec.Basic.Nack):
            self._fault = RetryableError(f"{self._shown}: the server took a message not", hint="see whether the queue is full")
        if method.multiple:
            self._unconfirmed = {tag for tag in self._unconfirmed if tag > method.delivery_tag}
        else:
            self._unconfirmed.discard(method.delivery_tag)
        self._look()
