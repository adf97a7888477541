"""The sink `redis`: the output of a stream as entries of a Redis stream, each checkpoint in one transaction with its number."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from headrace.business.model.schema import Schema
from headrace.business.ports import Fence, Publication
from headrace.business.streams.messages import MessageFormat, MessageWriter
from headrace.business.streams.state import Outlet
from headrace.errors import LeaseLost, NonRetryableError
from headrace.infrastructure.brokers.message_sink import MessageSink
from headrace.infrastructure.brokers.outgoing import outgoing
from headrace.infrastructure.redis.connection import ReachedRedis
from headrace.infrastructure.redis.faults import redis_faults

if TYPE_CHECKING:
    import pyarrow as pa
    import redis

#: Adds entries on the server: a command for each of them would have a reply for each, which costs the client more than the entry.
_ADD = """
for n = 3, #ARGV do
    if ARGV[2] == '' then
        redis.call('XADD', KEYS[1], '*', ARGV[1], ARGV[n])
    else
        redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', ARGV[1], ARGV[n])
    end
end
"""
#: How many entries are added by one command.
_AT_ONCE = 5_000


class RedisSink(ReachedRedis, MessageSink):
    """A stream of a Redis or Valkey server."""

    kind: ClassVar[str] = "redis"
    shorthand: ClassVar[str | None] = "stream"

    stream: str = Field(min_length=1, description="The key of the stream; it is made with its first entry")
    field: str = Field("message", min_length=1, description="The field of an entry that holds the message")
    max_length: Annotated[int, Field(ge=1)] | None = Field(
        None, description="About how many entries are kept; the oldest are trimmed away. All unless said"
    )

    def target(self, project: Path) -> str:  # noqa: ARG002 - a server is where it is
        return f"{self.reached.shown()} ({self.stream})"

    def stream_guarantee(self) -> str:
        return (
            "exactly once: the entries of a checkpoint and its number are added in one transaction, and lost together if at all"
        )

    def outlet(self, project: Path, stream: str, schema: Schema) -> Outlet:
        shown = self.target(project)
        format_: MessageFormat = self.format  # type: ignore[assignment]
        return RedisOutlet(self.client(), shown, self, stream, schema, format_.writer(schema, project))

    @property
    def ledger_key(self) -> str:
        """Where the numbers of checkpoints and the tokens of writers are kept, on the node of a cluster that has the stream."""
        return f"{self.stream}:headrace" if "{" in self.stream else f"{{{self.stream}}}:headrace"


class RedisOutlet:
    """The stream of one server, which takes the output of a stream of ours. See `Outlet`."""

    def __init__(
        self, client: redis.Redis, shown: str, sink: RedisSink, stream: str, schema: Schema, writer: MessageWriter
    ) -> None:
        self._client, self._shown, self._sink, self._stream = client, shown, sink, stream
        self._schema, self._writer = schema, writer
        self._fence: Fence | None = None

    def committed(self, fence: Fence) -> int:
        with redis_faults(self._shown):
            kind: Any = self._client.type(self._sink.stream)
            if kind not in (b"none", b"stream"):
                raise NonRetryableError(
                    f"{self._shown}: the key holds a {kind.decode()} and no stream", hint="name another key, or delete this one"
                )
            known = self._transaction(fence, lambda _known, _pipe: None)
        self._fence = fence
        return known

    def commit(self, epoch: int, rows: pa.Table) -> Publication:
        if self._fence is None:
            raise NonRetryableError(f"{self._shown}: takes no epoch before `committed` has said by what right")
        payloads = outgoing(rows, self._schema, self._writer).payloads
        fixed = (1, self._sink.stream, self._sink.field, self._sink.max_length or "")

        def add(known: int, pipe: Any) -> None:
            if epoch <= known:
                return
            for begin in range(0, len(payloads), _AT_ONCE):
                pipe.execute_command("EVAL", _ADD, *fixed, *payloads[begin : begin + _AT_ONCE])
            pipe.hset(self._sink.ledger_key, f"epoch {self._stream}", epoch)

        with redis_faults(self._shown):
            before = self._transaction(self._fence, add)
        already = epoch <= before
        return Publication(self._shown, inserted=0 if already else rows.num_rows, already=already)

    def close(self) -> None:
        self._client.close()

    def _transaction(self, fence: Fence, change: Any) -> int:
        """Change the stream and its ledger in one transaction, if the ledger is still what was read; says the epoch that counted before.

        Raises `LeaseLost` when the ledger knows a higher token of this issuer.
        """
        import redis

        token = f"token {self._stream} {fence.issuer}"
        while True:
            pipe: Any
            with self._client.pipeline(transaction=True) as pipe:
                pipe.watch(self._sink.ledger_key)
                highest, epoch = (
                    int(found or 0) for found in pipe.hmget(self._sink.ledger_key, token, f"epoch {self._stream}")
                )
                if fence.token < highest:
                    raise LeaseLost(
                        f"{self._shown}: another worker took `{self._stream}` over; nothing was added here",
                        hint="let the other worker go on; this one must not",
                    )
                pipe.multi()
                change(epoch, pipe)
                pipe.hset(self._sink.ledger_key, token, fence.token)
                try:
                    pipe.execute()
                except redis.WatchError:
                    continue
                return epoch
