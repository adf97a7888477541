"""The laws of sources of messages: in order, nothing lost, and nothing doubled where a position says what was read.

A law takes a `BrokerUnderTest`, which has a topic of its own that is empty at first, and the folder of a project. Not the laws of
formats: the payloads here are bytes that nobody reads.

    @pytest.mark.parametrize("law", testing.BROKER_LAWS)
    def test_the_law_holds(law, tmp_path):
        law(MyBrokerUnderTest(...), tmp_path)
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from headrace.business.ports import Position
from headrace.business.streams.messages import MessageSource, Sharing
from headrace.errors import NonRetryableError
from headrace.testing.fetching import Fetched, fetch, fetch_all
from headrace.testing.laws import demand

ALONE = Sharing("kit")
_WALKS, _STEPS = 2, 30
_MEGABYTE = 1 << 20


class BrokerUnderTest(Protocol):
    """A topic of a broker that runs, and what the kit has to do to it. What the broker has not got says so in `carries` or `can`."""

    source: Any
    """The source that reads the topic, from its first message unless told otherwise."""
    partitions: Sequence[str]
    """The partitions that are there now, as `Messages.partition` names them."""
    carries: Collection[str]
    """What comes with a message, of `key`, `headers`, `published_at`, and what a payload may be, of `null`, `empty`, `any bytes`,
    `large`."""
    can: Collection[str]
    """What can be done to it, of `grow`, `restart`, `share`; `seek` says that it can be read from a time on."""

    def publish(
        self,
        partition: str,
        payloads: Sequence[bytes | None],
        key: bytes | None = None,
        headers: Mapping[str, bytes] | None = None,
    ) -> None:
        """Add messages to a partition, in order. Returns when the broker has them for good."""
        ...

    def grow(self) -> str:
        """Add a partition, and say its name."""
        ...

    def restart(self) -> None:
        """Stop the broker without a word to its clients, and start it again with all that it held. Of one that holds nothing over a
        restart, cut all connections."""
        ...


Law = Callable[[BrokerUnderTest, Path], None]


def broker_says_what_it_is(broker: BrokerUnderTest, project: Path) -> None:
    """A source of messages has no end, and says what its broker may lose or double."""
    source = broker.source
    demand(
        isinstance(source, MessageSource),
        f"{type(source).__name__} has not all that a source of messages needs: bounded, format, columns, replayable, durability, feed",
    )
    demand(source.bounded is False, "`bounded` is False: messages do not end")
    told = list(source.durability())
    demand(
        told and all(sentence.strip() for sentence in told), "`durability` says in sentences what the broker may lose or double"
    )
    feed = source.feed(project, ALONE, {})
    demand(not feed.exhausted, "a feed that waits for messages is not exhausted")
    feed.close()


def broker_keeps_order(broker: BrokerUnderTest, project: Path) -> None:
    """What was published to a partition comes from it, in order, with arrays of one length, each message under a position of its own."""
    sent = _publish_some(broker, 30)
    feed = broker.source.feed(project, ALONE, {})
    got = fetch(feed, _total(sent), most=7)
    _demand_same(got.payloads, sent, "what was published")
    for partition, positions in got.positions.items():
        demand(len(set(positions)) == len(positions), f"two messages of partition {partition} have the same position")
    demand(set(feed.partitions()) >= set(sent), f"`partitions` leaves out some that gave messages: {feed.partitions()}")
    feed.close()


def broker_takes_no_more_than_asked(broker: BrokerUnderTest, project: Path) -> None:
    """`poll` gives about as many messages as it was asked for."""
    sent = _publish_some(broker, 60)
    feed = broker.source.feed(project, ALONE, {})
    got = Fetched()
    for most in (1, 10):
        before = got.count
        got.take(feed.poll(most, 10.0))
        count = got.count - before
        demand(0 < count <= 2 * most, f"`poll` was asked for {most} messages at the most and gave {count}")
    fetch(feed, _total(sent), got)
    feed.close()


def broker_waits_no_longer(broker: BrokerUnderTest, project: Path) -> None:
    """`poll` comes back after its wait with nothing, and before it with something."""
    feed = broker.source.feed(project, ALONE, {})
    demand(not sum(len(m) for m in feed.poll(10, 0.2)), "`poll` gave messages of a topic that is empty")
    demand(not sum(len(m) for m in feed.poll(10, 0.0)), "`poll` gave messages of a topic that is empty")
    partition = broker.partitions[0]
    later = threading.Timer(0.3, broker.publish, (partition, [b"late"]))
    later.start()
    got = fetch(feed, 1, wait=30.0)
    later.join()
    _demand_same(got.payloads, {partition: [b"late"]}, "what was published while `poll` waited")
    feed.close()


def broker_reopens_anywhere(broker: BrokerUnderTest, project: Path) -> None:
    """A feed that is opened behind the position of any message gives just what stands behind it, whether the one before it was
    closed or left."""
    if not broker.source.replayable:
        return
    sent = _publish_some(broker, 8)
    feed = broker.source.feed(project, ALONE, {})
    got = fetch(feed, _total(sent), most=1)
    feed.close()
    left_open = []
    for number in (0, 3, 4, 7):
        after = {p: Position(str(got.positions[p][number])) for p in sent}
        again = broker.source.feed(project, ALONE, after)
        left = {p: payloads[number + 1 :] for p, payloads in sent.items()}
        rest = fetch(again, _total(left), most=1000, quiet=number in (0, 7))
        _demand_same(rest.payloads, left, f"what stands behind message {number} of each partition")
        for partition, positions in rest.positions.items():
            demand(positions == got.positions[partition][number + 1 :], "a message has another position when it is read again")
        again.close() if number % 2 else left_open.append(again)
    for again in left_open:
        again.close()


def broker_loses_and_doubles_nothing(broker: BrokerUnderTest, project: Path) -> None:
    """Whatever the sizes of polls, wherever feeds are left, closed and opened anew between messages that come: each comes once, in
    order. Of a source that cannot be read again, what was not acknowledged comes again, maybe behind what was published later."""
    for seed in range(_WALKS):
        _walk(broker, project, random.Random(seed), f"walk {seed}")  # noqa: S311 - a walk that repeats, no secret


def _walk(broker: BrokerUnderTest, project: Path, dice: random.Random, name: str) -> None:
    source, sent = broker.source, _none(broker.partitions)
    after = _ends(broker, project) if source.replayable else {}
    feed, got, left_open = source.feed(project, ALONE, after), Fetched(), []
    for step in range(_STEPS):
        match dice.randrange(4):
            case 0 | 1:
                partition = dice.choice(list(broker.partitions))
                payloads = [f"{name}, {step}.{n}".encode() for n in range(dice.randint(1, 9))]
                broker.publish(partition, payloads)
                sent[partition] += payloads
            case 2:
                got.take(feed.poll(dice.choice((1, 3, 20)), 0.05))
            case 3:
                feed.acknowledge(got.ends)
                feed.close() if dice.random() < 0.5 or not source.replayable else left_open.append(feed)
                feed = source.feed(project, ALONE, {**after, **got.ends})
    fetch(feed, _total(sent), got, most=50, quiet=True, once=not source.replayable)
    feed.acknowledge(got.ends)
    for one in (feed, *left_open):
        one.close()
    _demand_came(got, sent, f"what was published on {name}", replayable=source.replayable)


def broker_is_told_twice(broker: BrokerUnderTest, project: Path) -> None:
    """To acknowledge twice, or an older position, is harmless; what was acknowledged does not come again, and all else does."""
    sent = _publish_some(broker, 10)
    feed = broker.source.feed(project, ALONE, {})
    got = fetch(feed, _total(sent), most=3)
    first, ends = {p: lasts[0] for p, lasts in got.lasts.items()}, got.ends
    for positions in (first, ends, ends, first, {}):
        feed.acknowledge(positions)
    more = _publish_some(broker, 5, "more")
    _demand_same(fetch(feed, _total(more)).payloads, more, "what came after it was acknowledged")
    feed.close()
    again = broker.source.feed(project, ALONE, ends)
    rest = fetch(again, _total(more), quiet=True, once=True)
    _demand_came(rest, more, "what stands behind what was acknowledged", replayable=broker.source.replayable)
    again.acknowledge(rest.ends)
    again.close()


def broker_knows_its_lag(broker: BrokerUnderTest, project: Path) -> None:
    """The lag is what waits, and goes to zero; or None, where the broker cannot say."""
    sent = _publish_some(broker, 20)
    feed = broker.source.feed(project, ALONE, {})
    got = fetch(feed, 1, most=1)
    for partition, waiting in feed.lag().items():
        left = len(sent[partition]) - len(got.payloads.get(partition, ()))
        demand(waiting is None or waiting == left, f"{left} messages of partition {partition} wait, and `lag` says {waiting}")
    fetch(feed, _total(sent), got)
    feed.acknowledge(got.ends)
    demand(all(not waiting for waiting in feed.lag().values()), f"all was given out, and `lag` says {feed.lag()}")
    feed.close()


def broker_carries_any_bytes(broker: BrokerUnderTest, project: Path) -> None:
    """Payloads come through as they were: every byte, empty, null and of a megabyte, where the broker has such."""
    payloads: list[bytes | None] = [b"plain", " spaces at the ends \u00e9 ".encode()]
    payloads += [bytes(range(256)), b"\xff\xfe\x00", b"\n\r\n\x00"] if "any bytes" in broker.carries else []
    payloads += [b""] if "empty" in broker.carries else []
    payloads += [None] if "null" in broker.carries else []
    payloads += [b"x" * _MEGABYTE] if "large" in broker.carries else []
    payloads.append(b"last")
    partition = broker.partitions[-1]
    broker.publish(partition, payloads)
    feed = broker.source.feed(project, ALONE, {})
    _demand_same(fetch(feed, len(payloads)).payloads, {partition: payloads}, "what was published")
    feed.close()


def broker_tells_the_facts(broker: BrokerUnderTest, project: Path) -> None:
    """Keys, headers and times of publication come with each message, and what a message has not got is null."""
    begun, partition = datetime.now(UTC), broker.partitions[0]
    dressed = {"key": b"k\x00\xff"} if "key" in broker.carries else {}
    headers = {"trace": b"\x01\xff", "kind": b"order"} if "headers" in broker.carries else None
    broker.publish(partition, [b"dressed"], dressed.get("key"), headers)
    broker.publish(partition, [b"plain"])
    feed = broker.source.feed(project, ALONE, {})
    got = fetch(feed, 2)
    feed.close()
    keys, told, times = (got.facts[partition][fact] for fact in ("key_bytes", "headers", "published_at"))
    if "key" in broker.carries:
        demand(keys == [dressed["key"], None], f"the keys were {[dressed['key'], None]} and came as {keys}")
    if headers is not None:
        came = {header["key"]: header["value"] for header in told[0] or ()}
        demand(came == headers, f"the headers were {headers} and came as {told[0]}")
        demand(not told[1], f"a message without headers came with {told[1]}")
    if "published_at" in broker.carries:
        span = timedelta(minutes=5)
        good = all(at is not None and begun - span < at < begun + span for at in times)
        demand(good, f"the messages were published about {begun}, and are said to be of {times}")


def broker_starts_where_told(broker: BrokerUnderTest, project: Path) -> None:
    """Without a position a partition begins where it is told: with the first message, behind the last, or with a time. A position
    goes before that."""
    if not broker.source.replayable:
        return
    old = _publish_some(broker, 5, "old")
    late = broker.source.feed(project, ALONE, {}, "latest")
    first = broker.source.feed(project, ALONE, {}, "earliest")
    new = _publish_some(broker, 5, "new")
    _demand_same(fetch(late, _total(new), quiet=True).payloads, new, "what came behind `latest`")
    both = {p: old[p] + new[p] for p in old}
    everything = fetch(first, _total(both))
    _demand_same(everything.payloads, both, "all from `earliest`")
    goes_before = broker.source.feed(project, ALONE, {p: lasts[4] for p, lasts in _each(everything).items()}, "latest")
    _demand_same(fetch(goes_before, _total(new)).payloads, new, "what stands behind a position, whatever `start` says")
    if "seek" in broker.can:
        moment = max(at for p in both for at in everything.facts[p]["published_at"])
        since = broker.source.feed(project, ALONE, {}, moment)
        left = {
            p: [x for x, at in zip(both[p], everything.facts[p]["published_at"], strict=True) if at >= moment] for p in both
        }
        _demand_same(fetch(since, _total(left), quiet=True).payloads, left, f"what was published at {moment} or later")
        since.close()
    for feed in (late, first, goes_before):
        feed.close()


def _each(got: Fetched) -> Mapping[str, Sequence[Position]]:
    """The position of every message: what is told of it for people opens a feed as well as `Messages.last` does."""
    return {p: [Position(str(position)) for position in positions] for p, positions in got.positions.items()}


def broker_finds_new_partitions(broker: BrokerUnderTest, project: Path) -> None:
    """A partition that is added comes to an open feed by itself, from its first message on."""
    if "grow" not in broker.can:
        return
    sent = _publish_some(broker, 3)
    feed = broker.source.feed(project, ALONE, {}, "earliest")
    got = fetch(feed, _total(sent))
    grown = broker.grow()
    broker.publish(grown, [b"first", b"second"])
    sent[grown] = [b"first", b"second"]
    fetch(feed, _total(sent), got)
    _demand_same(got.payloads, sent, "what was published, in an added partition too")
    demand(grown in feed.partitions(), f"`partitions` leaves out the added one: {feed.partitions()}")
    feed.close()


def broker_shares_out(broker: BrokerUnderTest, project: Path) -> None:
    """Two members read everything between them, and no message both."""
    if "share" not in broker.can:
        return
    feeds = [broker.source.feed(project, Sharing("kit-shared", member, 2), {}) for member in (0, 1)]
    sent = _publish_some(broker, 20)
    parts = fetch_all(feeds, _total(sent))
    both = Fetched()
    for part in parts:
        both.into(part)
    demand(both.count == _total(sent), f"{_total(sent)} messages were published, and two members got {both.count}")
    if broker.source.replayable:
        shared = set(parts[0].payloads) & set(parts[1].payloads)
        demand(not shared, f"both members read the partitions {shared}")
        _demand_same(both.payloads, sent, "what was published to two members")
    for feed in feeds:
        feed.close()


def broker_outlives_a_restart(broker: BrokerUnderTest, project: Path) -> None:
    """When the broker goes away and comes back, the same feed goes on behind what it gave out last."""
    if "restart" not in broker.can:
        return
    sent = _publish_some(broker, 20)
    feed = broker.source.feed(project, ALONE, {})
    got = fetch(feed, 5, most=3)
    broker.restart()
    more = _publish_some(broker, 5, "more")
    both = {p: sent[p] + more[p] for p in sent}
    again = not broker.source.replayable
    fetch(feed, _total(both), got, once=again, patient=True)
    _demand_came(got, both, "what was published around a restart", replayable=not again)
    feed.close()


def broker_refuses_what_is_no_position(broker: BrokerUnderTest, project: Path) -> None:
    """What is none of its positions is told, and not taken for the beginning or the end."""
    if not broker.source.replayable:
        return
    try:
        feed = broker.source.feed(project, ALONE, {broker.partitions[0]: Position("no position of anybody")})
        feed.poll(1, 0.5)
    except NonRetryableError as error:
        demand(error.hint, "whoever refuses a position says what to do")
        return
    demand(False, "`feed` took a position that is none")


BROKER_LAWS: Sequence[Law] = (
    broker_says_what_it_is, broker_keeps_order, broker_takes_no_more_than_asked, broker_waits_no_longer, broker_reopens_anywhere,
    broker_loses_and_doubles_nothing, broker_is_told_twice, broker_knows_its_lag, broker_carries_any_bytes, broker_tells_the_facts,
    broker_starts_where_told, broker_finds_new_partitions, broker_shares_out, broker_outlives_a_restart,
    broker_refuses_what_is_no_position,
)  # fmt: skip


Payloads = dict[str, list[bytes | None]]


def _none(partitions: Sequence[str]) -> Payloads:
    return {partition: [] for partition in partitions}


def _publish_some(broker: BrokerUnderTest, count: int, name: str = "message") -> Payloads:
    """So many messages to every partition that is there, and what they were."""
    sent: Payloads = {p: [f"{name} {n} of {p}".encode() for n in range(count)] for p in broker.partitions}
    for partition, payloads in sent.items():
        broker.publish(partition, payloads)
    return sent


def _ends(broker: BrokerUnderTest, project: Path) -> dict[str, Position]:
    """Where each partition ends now."""
    feed = broker.source.feed(project, ALONE, {})
    got = fetch(feed, 0, most=1000, quiet=True)
    feed.close()
    return dict(got.ends)


def _total(sent: Mapping[str, Sequence[bytes | None]]) -> int:
    return sum(map(len, sent.values()))


def _demand_came(got: Fetched, sent: Payloads, what: str, *, replayable: bool) -> None:
    """Each once and in order; of a source that cannot be read again each at least once, for its broker hands out again in any order."""
    if replayable:
        _demand_same(got.payloads, sent, what)
        return
    once = got.once()
    _demand_same(
        {p: sorted(some, key=_by_bytes) for p, some in once.items()},
        {p: sorted(some, key=_by_bytes) for p, some in sent.items()},
        what,
    )


def _by_bytes(payload: bytes | None) -> bytes:
    return payload or b""


def _demand_same(got: Mapping[str, Sequence[bytes | None]], sent: Mapping[str, Sequence[bytes | None]], what: str) -> None:
    for partition in sorted({*got, *sent}):
        came, due = list(got.get(partition, ())), list(sent.get(partition, ()))
        if came == due:
            continue
        first = next((n for n, (a, b) in enumerate(zip(came, due, strict=False)) if a != b), min(len(came), len(due)))
        was, wanted = (repr(some[first : first + 3])[:200] for some in (came, due))
        demand(
            False,
            f"partition {partition}: {len(came)} messages came, and {what} were {len(due)}; from number {first} on came {was} "
            f"instead of {wanted}",
        )
