"""Calls over the bus at a fixed number in flight: bare py-amqp, and the chassis."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from amqp import Message
from kombu import Connection

from chassis.rpc_client import RpcClient
from chassis.settings import Settings
from tests.bench.http_load import Outcome

BARE_QUEUE = "bench.bare"
BODY = "x" * 64


def serve_bare(amqp_uri: str) -> None:
    """Echo on the least that py-amqp needs: read, answer, acknowledge."""
    with Connection(amqp_uri) as connection:
        channel = connection.channel()
        channel.queue_declare(BARE_QUEUE, auto_delete=True)

        def answer(message: Message) -> None:
            reply = Message(message.body, correlation_id=message.properties["correlation_id"])
            channel.basic_publish(reply, "", message.properties["reply_to"])
            channel.basic_ack(message.delivery_tag)

        channel.basic_consume(BARE_QUEUE, callback=answer)
        while True:
            connection.drain_events()


@contextmanager
def bare_echo(amqp_uri: str) -> Iterator[int]:
    """A process that serves the bare echo; its id."""
    process = multiprocessing.get_context("spawn").Process(target=serve_bare, args=(amqp_uri,), daemon=True)
    process.start()
    try:
        yield process.pid or 0
    finally:
        process.terminate()
        process.join()


def drive_bare(amqp_uri: str, in_flight: int, seconds: float) -> Outcome:
    """The bare echo's rate, from one thread that keeps a window of calls open."""
    outcome = Outcome()
    with Connection(amqp_uri) as connection:
        channel = connection.channel()
        sent_at: dict[str, float] = {}

        def receive(message: Message) -> None:
            outcome.latencies.append(time.perf_counter() - sent_at.pop(message.properties["correlation_id"]))

        channel.basic_consume("amq.rabbitmq.reply-to", no_ack=True, callback=receive)
        while channel.queue_declare(BARE_QUEUE, auto_delete=True).consumer_count == 0:
            connection.ensure_connection()
        number = 0
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            while len(sent_at) < in_flight:
                number += 1
                sent_at[str(number)] = time.perf_counter()
                call = Message(BODY, correlation_id=str(number), reply_to="amq.rabbitmq.reply-to")
                channel.basic_publish(call, "", BARE_QUEUE)
            connection.drain_events()
        outcome.seconds = time.perf_counter() - began
    outcome.statuses[200] = len(outcome.latencies)
    return outcome


@contextmanager
def chassis_echo(settings: Settings, private_port: int) -> Iterator[int]:
    """A service of one method, run as every service is; its process id."""
    environment = {
        **os.environ,
        "AMQP_URI": settings.amqp_uri,
        "DATABASE_URL_ECHO": settings.database_url_for("catalog"),
        "BUS_PREFIX": settings.bus_prefix,
        "PYTHONWARNINGS": "ignore",
    }
    command = [sys.executable, "-m", "tests.bench.echo", str(private_port)]
    process = subprocess.Popen(
        command, env=environment, cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 20
        while not _ready(private_port):
            if time.monotonic() > until or process.poll() is not None:
                raise RuntimeError("the echo service did not get ready")
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def drive_chassis(settings: Settings, in_flight: int, seconds: float) -> Outcome:
    """The chassis' rate: so many threads of one process on one client."""
    client = RpcClient(settings.amqp_uri, prefix=settings.bus_prefix)
    outcome = Outcome()
    client.call("echo", "echo", value=BODY)
    began = time.perf_counter()

    def caller() -> None:
        while (at := time.perf_counter()) - began < seconds:
            client.call("echo", "echo", value=BODY)
            outcome.latencies.append(time.perf_counter() - at)

    threads = [threading.Thread(target=caller) for _ in range(in_flight)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outcome.seconds = time.perf_counter() - began
    outcome.statuses[200] = len(outcome.latencies)
    client.stop()
    return outcome


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=1):
            return True
    except (OSError, urllib.error.URLError):
        return False
