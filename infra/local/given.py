"""Servers of one's own, given by MONGO_URL and AMQP_URL: checked before anything relies on them."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import aio_pika
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, AMQPError
from pymongo import MongoClient
from pymongo.errors import ConfigurationError, InvalidURI, PyMongoError

from services.kit.rabbit.topology import Topology

ANSWER_WITHIN_S = 10


class UnusableServerError(Exception):
    """A given server cannot be reached, or lacks what the platform needs."""


def check_mongodb(url: str) -> None:
    """Raise `UnusableServerError` unless MongoDB is there and is a replica set or a sharded cluster."""
    try:
        with MongoClient[dict[str, Any]](url, serverSelectionTimeoutMS=ANSWER_WITHIN_S * 1000) as client:
            hello = client.admin.command("hello")
    except (ConfigurationError, InvalidURI, PyMongoError) as error:
        message = f"MONGO_URL: no MongoDB answers there ({_first_line(error)})."
        raise UnusableServerError(message) from error
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        message = (
            "MONGO_URL: that MongoDB is not a replica set, so it has no transactions and no change streams. "
            "Start mongod with --replSet rs0 and run rs.initiate() once (one node is enough), or leave MONGO_URL unset."
        )
        raise UnusableServerError(message)


def check_rabbitmq(url: str) -> None:
    """Raise `UnusableServerError` unless RabbitMQ is there and has consistent-hash exchanges."""
    asyncio.run(_check_rabbitmq(url))


async def _check_rabbitmq(url: str) -> None:
    try:
        connection = await aio_pika.connect(url, timeout=ANSWER_WITHIN_S)
    except (*CONNECTION_EXCEPTIONS, AMQPError, ValueError, TimeoutError) as error:
        message = f"AMQP_URL: no RabbitMQ answers there ({_first_line(error)})."
        raise UnusableServerError(message) from error
    async with connection, connection.channel() as channel:
        try:
            name = f"huitou.check.{uuid4().hex}"
            exchange = await channel.declare_exchange(
                name, aio_pika.ExchangeType.X_CONSISTENT_HASH, auto_delete=True, timeout=ANSWER_WITHIN_S
            )
            await exchange.delete()
        except AMQPError as error:
            message = (
                "AMQP_URL: that RabbitMQ has no consistent-hash exchanges. Switch them on there with "
                "`rabbitmq-plugins enable rabbitmq_consistent_hash_exchange`, or leave AMQP_URL unset."
            )
            raise UnusableServerError(message) from error


def forget_mongodb(url: str, databases: Sequence[str]) -> None:
    """Drop the platform's databases."""
    with MongoClient[dict[str, Any]](url, serverSelectionTimeoutMS=ANSWER_WITHIN_S * 1000) as client:
        for name in databases:
            client.drop_database(name)


async def forget_rabbitmq(url: str, topology: Topology) -> None:
    """Delete the platform's exchanges and queues, with all that is in them."""
    connection = await aio_pika.connect(url, timeout=ANSWER_WITHIN_S)
    async with connection, connection.channel() as channel:
        await _delete(channel, topology)


async def _delete(channel: AbstractChannel, topology: Topology) -> None:
    """Delete what `topology.declare` makes; what is not there is no error."""
    for subscriber in topology.subscribers:
        for queue in (*topology.queues(subscriber), topology.dead_letter_queue(subscriber)):
            await channel.queue_delete(queue)
        for exchange in ("events", "dead"):
            await channel.exchange_delete(f"{topology.namespace}{subscriber}.{exchange}")
    await channel.exchange_delete(topology.events_exchange)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
