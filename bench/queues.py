"""Reading messages from NATS, RabbitMQ and MQTT: our feeds against the clients that others use, and a bare socket where one is fast.

    python bench/queues.py [--messages 200000] [--rounds 3] [--only nats,queue,stream,mqtt]

As `brokers.py`, whose messages these are. The peers' clients are in an environment of their own (`make bench-peers`): natsrpy, rstream
and gmqtt; pika is ours too. What is read by them ends as a list of payloads, what we read as columns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

BENCH = Path(__file__).parent
sys.path.insert(0, str(BENCH.parent))  # the tests' servers
NAME, MOST = "bench", 5_000
PEERS = BENCH / "data" / "venvs" / "queues" / "bin" / "python"

# Peers: each tells how many it has read, again and again ----------------------------------------------------------------


def natsrpy(address: str) -> Iterator[int]:
    from natsrpy import Nats
    from natsrpy.js import AckPolicy, PullConsumerConfig

    loop = asyncio.new_event_loop()

    async def opened() -> Any:
        client = Nats([f"nats://{address}"])
        await client.startup()
        stream = await (await client.jetstream()).streams.get(NAME)
        return client, await stream.consumers.create(PullConsumerConfig(name=f"peer-{os.getpid()}", ack_policy=AckPolicy.NONE))

    async def fetched() -> int:
        return len([message.payload for message in await consumer.fetch(MOST)])

    _client, consumer = loop.run_until_complete(opened())
    while True:
        yield loop.run_until_complete(fetched())


def bare_nats(address: str) -> Iterator[int]:
    """Pulls, and cuts the payloads out of what comes: the least that can be done."""
    host, _, port = address.rpartition(":")
    name = f"bare-{os.getpid()}"
    with socket.create_connection((host, int(port))) as line:
        config = {"stream_name": NAME, "config": {"name": name, "ack_policy": "none", "deliver_policy": "all"}}
        line.sendall(b'CONNECT {"verbose":false}\r\nSUB in 1\r\n' + _asked(f"$JS.API.CONSUMER.CREATE.{NAME}.{name}", config))
        time.sleep(0.5)
        line.recv(1 << 16)
        rest = b""
        while True:
            line.sendall(_asked(f"$JS.API.CONSUMER.MSG.NEXT.{NAME}.{name}", {"batch": MOST, "expires": 30_000_000_000}))
            payloads: list[bytes] = []
            while len(payloads) < MOST:
                data, at = rest + line.recv(1 << 18), 0
                while (end := data.find(b"\r\n", at)) >= 0:
                    head = data[at:end]
                    stop = end + 2 + int(head[head.rfind(b" ") :])
                    if stop + 2 > len(data):
                        break
                    payloads.append(data[end + 2 : stop])
                    at = stop + 2
                rest = data[at:]
            yield len(payloads)


def _asked(subject: str, question: dict[str, Any]) -> bytes:
    written = json.dumps(question).encode()
    return f"PUB {subject} in {len(written)}\r\n".encode() + written + b"\r\n"


def pika_queue(address: str) -> Iterator[int]:
    import pika

    came: list[bytes] = []
    last = 0

    def take(_channel: Any, method: Any, _properties: Any, body: bytes) -> None:
        nonlocal last
        came.append(body)
        last = method.delivery_tag

    connection = pika.BlockingConnection(pika.URLParameters(f"amqp://guest:guest@{address}/"))
    channel = connection.channel()
    channel.basic_qos(prefetch_count=2 * MOST)
    channel.basic_consume(NAME, take)
    while True:
        while not came:
            connection.process_data_events(time_limit=0.1)
        channel.basic_ack(last, multiple=True)
        yield len(came)
        came.clear()


def rstream(address: str) -> Iterator[int]:
    from rstream import Consumer, ConsumerOffsetSpecification, OffsetType

    host, _, port = address.rpartition(":")
    loop, came = asyncio.new_event_loop(), []

    async def opened() -> Any:
        consumer = Consumer(host, int(port), username="guest", password="guest")
        begin = ConsumerOffsetSpecification(OffsetType.FIRST, None)
        await consumer.subscribe(NAME, lambda message, _: came.append(message), offset_specification=begin)
        return consumer

    _consumer = loop.run_until_complete(opened())
    while True:
        loop.run_until_complete(asyncio.sleep(0.01))
        yield len(came)
        came.clear()


def gmqtt(address: str) -> Iterator[int]:
    import gmqtt as library

    host, _, port = address.rpartition(":")
    loop, came = asyncio.new_event_loop(), []

    async def opened() -> Any:
        client = library.Client(NAME, clean_session=False, session_expiry_interval=3600, receive_maximum=65_535)
        client.on_message = lambda _client, _topic, payload, _qos, _properties: came.append(payload) or 0
        await client.connect(host, int(port))
        return client

    _client = loop.run_until_complete(opened())
    while True:
        loop.run_until_complete(asyncio.sleep(0.01))
        yield len(came)
        came.clear()


# Ours ----------------------------------------------------------------------------------------------------------------------


def ours(kind: str, address: str) -> Iterator[int]:
    from headrace.business.streams.messages import Sharing
    from headrace.infrastructure.brokers.mqtt.source import MqttSource
    from headrace.infrastructure.brokers.nats.source import NatsSource
    from headrace.infrastructure.brokers.rabbitmq.connection import RabbitMQConnection
    from headrace.infrastructure.brokers.rabbitmq.source import RabbitMQSource

    port = int(address.rpartition(":")[2])
    rabbit = RabbitMQConnection(host="127.0.0.1", port=port, stream_port=port)
    from headrace.business.connections import Profile

    source: Any = {
        "nats": lambda: NatsSource(url=f"nats://{address}", stream=NAME),
        "queue": lambda: RabbitMQSource(connection=Profile("b", rabbit), queue=NAME),
        "stream": lambda: RabbitMQSource(connection=Profile("b", rabbit), stream=NAME),
        "mqtt": lambda: MqttSource(url=f"mqtt://{address}", topic=NAME, client_id=NAME),
    }[kind]()
    feed = source.feed(Path(), Sharing("bench"), {})
    while True:
        came = feed.poll(MOST, 0.1)
        yield sum(map(len, came))
        feed.acknowledge({messages.partition: messages.last for messages in came})


CONTESTANTS: dict[str, dict[str, Callable[[str], Iterator[int]]]] = {
    "nats": {"natsrpy": natsrpy, "bare socket": bare_nats, "headrace": lambda address: ours("nats", address)},
    "queue": {"pika": pika_queue, "headrace": lambda address: ours("queue", address)},
    "stream": {"rstream": rstream, "headrace": lambda address: ours("stream", address)},
    "mqtt": {"gmqtt": gmqtt, "headrace": lambda address: ours("mqtt", address)},
}


def contend(kind: str, name: str, address: str, messages: int) -> None:
    """What a process of a contestant does: read all, and tell the CPU that it took behind the first messages."""
    counts = CONTESTANTS[kind][name](address)
    first = 0
    while not first:
        first = next(counts)
    done, begun = first, time.process_time()
    while done < messages:
        done += next(counts)
    print(json.dumps({"messages": done - first, "cpu": time.process_time() - begun}), flush=True)
    os._exit(0)


# Servers, each filled through the sink that we have for it ------------------------------------------------------------------


def nats(stack: ExitStack) -> tuple[str, Any]:
    from tests.integration.brokers.test_nats import ask
    from tests.integration.nats_server import NatsServer

    server = NatsServer()
    stack.callback(server.remove)
    server.start()
    ask(server, f"$JS.API.STREAM.CREATE.{NAME}", name=NAME, subjects=[NAME])
    return f"127.0.0.1:{server.port}", ("nats", {"url": server.url, "subject": NAME})


def rabbitmq(stack: ExitStack, kind: str) -> tuple[str, Any]:
    import pika
    from tests.integration.rabbitmq_server import RabbitMQServer

    server = stack.enter_context(RabbitMQServer.running())
    with pika.BlockingConnection(pika.URLParameters(server.url)) as connection:
        arguments = {"x-queue-type": {"queue": "quorum", "stream": "stream"}[kind]}
        connection.channel().queue_declare(NAME, durable=True, arguments=arguments)
    port = server.port if kind == "queue" else server.stream_port
    return f"127.0.0.1:{port}", ("rabbitmq", {"url": server.url, "queue": NAME})


def mqtt(stack: ExitStack) -> tuple[str, Any]:
    from tests.integration.mosquitto_server import MosquittoServer

    from headrace.business.streams.messages import Sharing
    from headrace.infrastructure.brokers.mqtt.source import MqttSource

    server = MosquittoServer()
    stack.callback(server.remove)
    server.start()
    MqttSource(url=server.url, topic=NAME, client_id=NAME).feed(Path(), Sharing("bench"), {}).close()
    return f"127.0.0.1:{server.port}", ("mqtt", {"url": server.url, "topic": NAME})


def filled(sink: tuple[str, Any], messages: int) -> None:
    from tests.integration.brokers.lines_format import LINES, TEXT, rows

    from brokers import message
    from headrace.infrastructure.catalog import Catalog

    plugin: Any = Catalog().sink(sink[0]).model_validate({**sink[1], "format": LINES})
    outlet = plugin.outlet(Path(), "bench", TEXT)
    for epoch, begin in enumerate(range(0, messages, 20_000)):
        outlet.commit(epoch, rows(*(message(n).decode() for n in range(begin, min(begin + 20_000, messages)))))
    outlet.close()


SERVERS: dict[str, tuple[str, Callable[[ExitStack], tuple[str, Any]]]] = {
    "nats": ("NATS JetStream", nats), "queue": ("RabbitMQ, quorum queue", lambda stack: rabbitmq(stack, "queue")),
    "stream": ("RabbitMQ, stream", lambda stack: rabbitmq(stack, "stream")), "mqtt": ("MQTT, QoS 1 (Mosquitto)", mqtt),
}  # fmt: skip


def compete(kind: str, messages: int, rounds: int) -> dict[str, list[float]]:
    """Messages per CPU second of each contestant, of every round. What is gone when it was read is sent anew."""
    rates: dict[str, list[float]] = {}
    with ExitStack() as stack:
        address, sink = SERVERS[kind][1](stack)
        if kind in ("nats", "stream"):
            filled(sink, messages)
        for nth in range(rounds):
            for name in CONTESTANTS[kind]:
                if kind in ("queue", "mqtt"):
                    filled(sink, messages)
                python = PEERS if name in ("natsrpy", "rstream", "gmqtt") else sys.executable
                command = [str(python), __file__, "--contend", kind, name, address, "--messages", str(messages)]
                told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
                rates.setdefault(name, []).append(told["messages"] / told["cpu"])
                print(f"{nth + 1}/{rounds} {kind}, {name}: {rates[name][-1]:,.0f} a CPU second", file=sys.stderr)
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(SERVERS))
    parser.add_argument("--contend", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contend:
        contend(*options.contend, options.messages)
    from measure import keep, table

    rates = {kind: compete(kind, options.messages, options.rounds) for kind in options.only.split(",")}
    lines = []
    for kind, found in rates.items():
        own = median(found["headrace"])
        lines += [
            [f"{SERVERS[kind][0]}: {name}", f"{median(rounds):,.0f}", f"{own / median(rounds):.2f}"]
            for name, rounds in found.items()
        ]
    keep(
        "queues",
        {"messages": options.messages, "rates": rates},
        table(["messages per CPU second of the client", "rate", "ours to it"], lines),
    )


if __name__ == "__main__":
    main()
