"""Putting a message straight into a queue, when it is not news to every subscriber: a replay."""

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractMessage

SEND_TIMEOUT_S = 15.0


async def send_to_queue(channel: AbstractChannel, message: AbstractMessage, *, queue: str) -> None:
    """Publish `message` into `queue` and return when it is confirmed.

    `channel` has confirms and raises what is returned, so a queue that does not exist is a DeliveryError. What the
    broker noted about the message's past is left out: it starts with no deliveries and no deaths.
    """
    fresh = Message(
        message.body,
        headers={name: value for name, value in message.headers.items() if not name.startswith("x-")},
        content_type=message.content_type,
        message_id=message.message_id,
        delivery_mode=DeliveryMode.PERSISTENT,
    )
    await channel.default_exchange.publish(fresh, routing_key=queue, mandatory=True, timeout=SEND_TIMEOUT_S)
