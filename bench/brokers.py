"""Reading messages: our feeds against the fastest client of each broker, merely read, and read and parsed into Arrow.

    python bench/brokers.py [--messages 300000] [--rounds 5] [--only redis,kafka,tail]

Each reads the same messages, JSON of 200 bytes with seven fields, from a server on this machine, and is a process of its own, in turn.
What counts is CPU time of the client behind start-up, threads included. The broker of Kafka's protocol is Tansu, so those rows say
nothing about Kafka itself.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.json

from measure import BENCH, PYTHON, keep, table

sys.path.insert(0, str(BENCH.parent))  # the tests' servers

FIELDS = {
    "id": pa.int64(),
    "at": pa.string(),
    "key": pa.string(),
    "amount": pa.float64(),
    "kind": pa.string(),
    "ok": pa.bool_(),
    "pad": pa.string(),
}
TOPIC, MOST = "bench", 5_000
#: How many messages a stream takes at once, at the most, unless told otherwise.
OUR_MOST = 50_000
Payloads = Iterator[Sequence[bytes]]


def message(n: int) -> bytes:
    row = {
        "id": n,
        "at": f"2024-01-01T00:00:{n % 60:02}Z",
        "key": f"key-{n % 1000}",
        "amount": n % 997 / 4,
        "kind": "abc"[n % 3],
        "ok": n % 2 == 0,
    }
    text = json.dumps(row)
    return (text[:-1] + ', "pad": "' + "x" * (190 - len(text)) + '"}').encode()


# The fastest that each broker's own clients can do --------------------------------------------------------------------


def raw_redis(address: str) -> Payloads:
    import hiredis

    host, _, port = address.rpartition(":")
    reader, after, buffer = hiredis.Reader(), b"0-0", bytearray(1 << 20)
    with socket.create_connection((host, int(port))) as line:
        while True:
            line.sendall(hiredis.pack_command(("XREAD", "COUNT", MOST, "STREAMS", TOPIC, after)))
            while (reply := reader.gets()) is False:
                reader.feed(buffer, 0, line.recv_into(buffer))
            entries = reply[0][1]
            after = entries[-1][0]
            yield [fields[1] for _, fields in entries]


def raw_kafka(address: str) -> Payloads:
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": address, "group.id": "bench", "enable.auto.commit": False})
    consumer.assign([TopicPartition(TOPIC, 0, 0)])
    while True:
        yield [record.value() for record in consumer.consume(MOST, 0.1)]


def raw_tail(address: str) -> Payloads:
    with Path(address).open("rb") as file:
        left = b""
        while True:
            text = left + file.read(1 << 20)
            end = text.rfind(b"\n") + 1
            left = text[end:]
            yield text[: end - 1].split(b"\n")


def parsed(payloads: Payloads) -> Iterator[int]:
    options = pyarrow.json.ParseOptions(explicit_schema=pa.schema(FIELDS))
    reading = pyarrow.json.ReadOptions(use_threads=False, block_size=1 << 24)
    for some in payloads:
        yield pyarrow.json.read_json(pa.BufferReader(b"\n".join(some)), reading, options).num_rows if some else 0


# Ours ------------------------------------------------------------------------------------------------------------------


def feed(kind: str, address: str, **more: Any) -> Any:
    from headrace.business.streams.messages import Sharing
    from headrace.infrastructure.catalog import Catalog

    where = {
        "redis": {"url": f"redis://{address}/0", "stream": TOPIC, "field": "message"},
        "kafka": {"servers": address, "topic": TOPIC},
        "tail": {"path": address},
    }[kind]
    source: Any = Catalog().source(kind).model_validate({**where, **more})
    return source, source.feed(Path(), Sharing("bench"), {})


def our_read(kind: str, address: str, **more: Any) -> Iterator[int]:
    _, opened = feed(kind, address, **more)
    while True:
        yield sum(len(messages) for messages in opened.poll(OUR_MOST, 0.1))


def our_parse(kind: str, address: str, **more: Any) -> Iterator[int]:
    from headrace.business.model.schema import Column, Schema
    from headrace.business.model.types import String

    source, opened = feed(kind, address, **more)
    reader = source.format.reader(
        source.format.scan(Schema(tuple(Column(name, String()) for name in FIELDS)), Path()).schema, Path()
    )
    while True:
        yield sum(reader.read(messages).rows.num_rows for messages in opened.poll(OUR_MOST, 0.1))


RAW: dict[str, Callable[[str], Payloads]] = {"redis": raw_redis, "kafka": raw_kafka, "tail": raw_tail}
CONTESTANTS: dict[str, Callable[[str, str], Iterator[int]]] = {
    "raw read": lambda kind, address: map(len, RAW[kind](address)),
    "our read": our_read,
    "raw read and parse": lambda kind, address: parsed(RAW[kind](address)),
    "our read and parse": our_parse,
}
BLOCKS: dict[str, Callable[[str, str], Iterator[int]]] = {
    "our blocks of lines, read and parsed": partial(our_parse, message="block", format="ndjson", block_bytes=1 << 18)
}


def contend(name: str, kind: str, address: str, messages: int) -> None:
    """What a process of a contestant does: read all, and tell the CPU that it took behind the first batch."""
    counts = (CONTESTANTS | BLOCKS)[name](kind, address)
    done = 0
    while not done:
        done = next(counts)
    first, begun = done, time.process_time()
    while done < messages:
        done += next(counts)
    print(json.dumps({"messages": done - first, "cpu": time.process_time() - begun}), flush=True)
    os._exit(0)


# The contest -------------------------------------------------------------------------------------------------------------


def redis_server(stack: ExitStack, messages: int) -> str:
    import redis
    from tests.integration.valkey_server import ValkeyServer

    server = ValkeyServer()
    stack.callback(server.remove)
    server.start()
    with redis.Redis.from_url(server.url) as client:
        for begin in range(0, messages, MOST):
            with client.pipeline(transaction=False) as pipe:
                for n in range(begin, min(begin + MOST, messages)):
                    pipe.xadd(TOPIC, {"message": message(n)})
                pipe.execute()
    return f"127.0.0.1:{server.port}"


def kafka_server(stack: ExitStack, messages: int) -> str:
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, NewTopic
    from tests.integration.tansu_server import TansuServer

    server = TansuServer()
    stack.callback(server.remove)
    server.start()
    address = f"127.0.0.1:{server.port}"
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([NewTopic(TOPIC, 1, 1)])[TOPIC].result()
    producer = Producer({"bootstrap.servers": address, "linger.ms": 50, "queue.buffering.max.messages": 1_000_000})
    for n in range(messages):
        producer.produce(TOPIC, message(n))
        producer.poll(0)
    producer.flush()
    return server.servers


def tail_file(stack: ExitStack, messages: int) -> str:
    from tempfile import TemporaryDirectory

    file = Path(stack.enter_context(TemporaryDirectory())) / "bench.log"
    file.write_bytes(b"".join(message(n) + b"\n" for n in range(messages)))
    return str(file)


BROKERS: dict[str, tuple[str, Callable[[ExitStack, int], str]]] = {
    "redis": ("Redis Streams (Valkey)", redis_server), "kafka": ("Kafka protocol (Tansu)", kafka_server), "tail": ("a file of lines", tail_file),
}  # fmt: skip


def compete(kind: str, messages: int, rounds: int) -> dict[str, list[float]]:
    """Messages per CPU second of each contestant, of every round."""
    rates: dict[str, list[float]] = {}
    with ExitStack() as stack:
        address = BROKERS[kind][1](stack, messages)
        for nth in range(rounds):
            for name in CONTESTANTS | (BLOCKS if kind == "tail" else {}):
                command = [PYTHON, __file__, "--contend", name, kind, address, "--messages", str(messages)]
                told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
                rates.setdefault(name, []).append(told["messages"] / told["cpu"])
                print(f"{nth + 1}/{rounds} {kind}, {name}: {rates[name][-1]:,.0f} a CPU second", file=sys.stderr)
    return rates


def report(rates: dict[str, dict[str, list[float]]]) -> str:
    rows = []
    for kind, found in rates.items():
        for what in ("read", "read and parse"):
            ours, raw = median(found[f"our {what}"]), median(found[f"raw {what}"])
            rows.append([f"{BROKERS[kind][0]}, {what}", f"{raw:,.0f}", f"{ours:,.0f}", f"{ours / raw:.2f}"])
        rows += [[f"{BROKERS[kind][0]}, {name}", "", f"{median(found[name]):,.0f}", ""] for name in BLOCKS if name in found]
    return table(["messages per CPU second of the client", "raw client", "our feed", "ratio"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join(BROKERS))
    parser.add_argument("--contend", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contend:
        contend(*options.contend, options.messages)
    rates = {kind: compete(kind, options.messages, options.rounds) for kind in options.only.split(",")}
    keep("brokers", {"messages": options.messages, "rates": rates}, report(rates))


if __name__ == "__main__":
    main()
