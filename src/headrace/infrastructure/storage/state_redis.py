"""The state of streams in Redis or Valkey: for workers on any machine. Every change is one script, which the server carries out whole.

What was saved outlives the server's death when its append-only file is synced. So `save` waits for that where the server can say it (7.2
and later): at once with `appendfsync always`, up to a second with `everysec`. A server without such a file is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from headrace.application.orchestrator import failpoints
from headrace.business.ports import Fence
from headrace.business.streams.state import Saved
from headrace.errors import NonRetryableError, RetryableError
from headrace.infrastructure.redis.faults import redis_faults
from headrace.infrastructure.storage.saved_epochs import Step, chain, chunks, decoded, encoded
from headrace.infrastructure.storage.state_owner import demand_opened, lost

if TYPE_CHECKING:
    import redis

_PREFIX = "headrace:state:"
_SYNC_MS = 10_000

#: Each has the keys of the holder, of the tokens by issuer, and of the epochs; and answers 0 to whoever may not.
_OPEN = """
local known = redis.call('HGET', KEYS[2], ARGV[1])
if known and tonumber(known) > tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('SET', KEYS[1], ARGV[3])
return 1
"""
_SAVE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local number = tonumber(ARGV[2])
for _, epoch in ipairs(redis.call('HKEYS', KEYS[3])) do
  if tonumber(epoch) >= number then
    redis.call('DEL', KEYS[3] .. ':' .. epoch)
    redis.call('HDEL', KEYS[3], epoch)
  end
end
for i = 4, #ARGV do redis.call('RPUSH', KEYS[3] .. ':' .. ARGV[2], ARGV[i]) end
redis.call('HSET', KEYS[3], ARGV[2], ARGV[3])
return 1
"""
_FORGET = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
for i = 2, #ARGV do
  redis.call('HDEL', KEYS[3], ARGV[i])
  redis.call('DEL', KEYS[3] .. ':' .. ARGV[i])
end
return 1
"""


class RedisStateStore:
    """The epochs of one stream. `client` gives a client when it is needed; `shown` says for people where the server is."""

    def __init__(self, stream: str, client: Callable[[], redis.Redis], shown: str) -> None:
        self.stream, self._connect, self.shown = stream, client, f"{shown} (state of `{stream}`)"
        base = f"{_PREFIX}{{{quote(stream, safe='')}}}"
        self._keys = (f"{base}:holder", f"{base}:tokens", f"{base}:epochs")
        self._fence: Fence | None = None
        self._known: dict[int, Step] | None = None
        self._client: redis.Redis | None = None
        self._says_when_synced = True

    def open(self, fence: Fence) -> None:
        with self._server() as server:
            found: Any = server.info("persistence")
            if found.get("aof_enabled") == 0:
                raise NonRetryableError(
                    f"{self.shown}: the server keeps no append-only file, so the state would be gone when it dies",
                    hint="say `appendonly yes` and `appendfsync always` in its configuration, or keep the state elsewhere",
                )
            if not server.eval(_OPEN, 3, *self._keys, fence.issuer, fence.token, _holder(fence)):
                raise lost(self.shown)
            self._sync(server)
        self._fence, self._known = fence, None

    def epochs(self) -> Sequence[int]:
        with self._server() as server:
            return sorted(self._steps(server))

    def save(self, saved: Saved) -> None:
        with self._held() as (server, holder, known):
            after = max((epoch for epoch in known if epoch < saved.epoch), default=None)
            pieces = encoded(saved, after)
            step = f"{'' if after is None else after} {saved.needs} {sum(map(len, pieces))}"
            content: list[Any] = list(chunks(pieces))
            failpoints.reached("state saving")
            self._demand(server.eval(_SAVE, 3, *self._keys, holder, saved.epoch, step, *content))
            self._sync(server)
            for epoch in [epoch for epoch in known if epoch > saved.epoch]:
                del known[epoch]
            known[saved.epoch] = Step(saved.epoch, after, saved.needs)
        failpoints.reached("state saved")

    def load(self, epoch: int) -> Sequence[Saved]:
        with self._server() as server:
            return [self._saved(server, needed) for needed in chain(epoch, self._steps(server).get, self.shown)]

    def forget(self, before: int) -> None:
        with self._held() as (server, holder, known):
            kept = max((epoch for epoch in known if epoch <= before), default=None)
            if kept is not None:
                needed = chain(kept, known.get, self.shown)[0]
                old = [epoch for epoch in sorted(known) if epoch < needed]
                self._demand(server.eval(_FORGET, 3, *self._keys, holder, *old))
                for epoch in old:
                    del known[epoch]

    def bytes(self) -> int:
        with self._server() as server:
            return sum(size for _, size in self._written(server))

    def close(self) -> None:
        self._fence = None
        self._disconnect()

    def remove(self) -> None:
        """All of it, with the memory of who may save: for a stream that is over."""
        with self._server() as server:
            server.delete(*(f"{self._keys[2]}:{epoch}" for epoch in self._steps(server)), *self._keys)

    # How -------------------------------------------------------------------------------------------------------------

    @contextmanager
    def _held(self) -> Iterator[tuple[redis.Redis, str, dict[int, Step]]]:
        """The server, the holder, and the epochs that are there. Nobody else changes them, or the scripts refuse; so they are looked up
        once, and again after a fault."""
        fence = demand_opened(self._fence, self.shown)
        known, self._known = self._known, None
        with self._server() as server:
            known = self._steps(server) if known is None else known
            yield server, _holder(fence), known
        self._known = known

    @contextmanager
    def _server(self) -> Iterator[redis.Redis]:
        import redis

        with redis_faults(self.shown):
            if self._client is None:
                self._client = self._connect()
            try:
                yield self._client
            except (redis.ConnectionError, redis.TimeoutError):
                self._disconnect()
                raise

    def _disconnect(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None

    def _demand(self, done: object) -> None:
        if not done:
            raise lost(self.shown)

    def _sync(self, server: redis.Redis) -> None:
        """Wait until what was written is on the server's disk."""
        import redis

        if not self._says_when_synced:
            return
        try:
            synced: Any = server.waitaof(1, 0, _SYNC_MS)
        except redis.ResponseError as error:
            if "unknown command" not in str(error).lower():
                raise
            self._says_when_synced = False
            return
        if not synced[0]:
            raise RetryableError(
                f"{self.shown}: the server did not sync its append-only file in {_SYNC_MS // 1000} seconds",
                hint="see how busy its disk is, and that `appendfsync` is `always` or `everysec`",
            )

    def _steps(self, server: redis.Redis) -> dict[int, Step]:
        return {step.epoch: step for step, _ in self._written(server)}

    def _written(self, server: redis.Redis) -> Iterator[tuple[Step, int]]:
        """Each epoch, and how many bytes it has."""
        found: Any = server.hgetall(self._keys[2])
        for number, written in found.items():
            after, needs, size = written.split(b" ")
            yield Step(int(number), int(after) if after else None, int(needs)), int(size)

    def _saved(self, server: redis.Redis, epoch: int) -> Saved:
        found: Any = server.lrange(f"{self._keys[2]}:{epoch}", 0, -1)
        return decoded(b"".join(found), f"{self.shown}, epoch {epoch}")


def _holder(fence: Fence) -> str:
    return f"{fence.token} {fence.issuer}"


def streams(client: Callable[[], redis.Redis], shown: str) -> Sequence[str]:
    """The names of the streams that keep their state there."""
    with redis_faults(shown), client() as server:
        found: Any = server.scan_iter(match=f"{_PREFIX}*:tokens", count=1000)
        return sorted(unquote(key.decode().removeprefix(_PREFIX + "{").partition("}")[0]) for key in found)
