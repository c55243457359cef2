"""Moments in protos: google.protobuf.Timestamp, in whole milliseconds."""

from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_timestamp(moment: datetime) -> Timestamp:
    """Return `moment` (aware) as a proto."""
    past = moment - EPOCH
    return Timestamp(seconds=past.days * 86_400 + past.seconds, nanos=past.microseconds * 1_000)


def from_timestamp(stamp: Timestamp) -> datetime:
    """Return the moment in UTC, cut to the millisecond that the database keeps."""
    return EPOCH + timedelta(seconds=stamp.seconds, milliseconds=stamp.nanos // 1_000_000)
