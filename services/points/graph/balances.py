"""What an account holds, currency by currency."""

from enum import Enum

import strawberry

from protos.points.v1 import points_pb2 as pb
from services.kit.graph import SafeInt


@strawberry.enum(description="What a program counts in.")
class PointsCurrency(Enum):
    """Currencies, named as in the proto."""

    POINTS = strawberry.enum_value("POINTS", description="Points.")
    STAMPS = strawberry.enum_value("STAMPS", description='Stamps: "buy five, get one".')


@strawberry.type(description="What an account holds in one currency, in whole points or stamps.")
class PointsBalance:
    """A balance."""

    currency: PointsCurrency = strawberry.field(description="What it is counted in.")
    available: SafeInt = strawberry.field(description="What can be spent.")
    pending: SafeInt = strawberry.field(description="Granted, and not available yet.")
    held: SafeInt = strawberry.field(description="Set aside by holds.")
    debt: SafeInt = strawberry.field(description="Owed: what is earned next pays it off.")
    lifetime: SafeInt = strawberry.field(description="Earned since the member joined, less what refunds took back.")


def currency_of(word: str) -> PointsCurrency:
    """Make it of the proto's word."""
    return PointsCurrency[word.upper()]


def word_of(currency: PointsCurrency) -> str:
    """Return the proto's word."""
    return currency.name.lower()


def balance_of(balance: pb.Balance) -> PointsBalance:
    """Make it of the proto."""
    return PointsBalance(
        currency=currency_of(balance.currency),
        available=balance.available,
        pending=balance.pending,
        held=balance.held,
        debt=balance.debt,
        lifetime=balance.lifetime,
    )
