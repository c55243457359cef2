"""Addresses, positions and opening hours in the graph."""

from collections.abc import Sequence

import strawberry

from protos.members.v1 import chains_pb2 as pb


@strawberry.type(description="An address as it is written on a letter.")
class Address:
    """An address."""

    lines: list[str] = strawberry.field(description="Street, house, floor; 1 to 4.")
    city: str = strawberry.field(description="The city.")
    postal_code: str | None = strawberry.field(description="Null: none.")
    country: str = strawberry.field(description='ISO 3166-1 alpha-2, like "CN".')


@strawberry.type(description="A place on the globe.")
class Position:
    """A position."""

    latitude: float = strawberry.field(description="Degrees, north positive.")
    longitude: float = strawberry.field(description="Degrees, east positive.")


@strawberry.type(description="From one time of the day to another, by the store's clock.")
class OpeningSpan:
    """A span."""

    opens: str = strawberry.field(description='"HH:MM".')
    closes: str = strawberry.field(description='"HH:MM", up to "24:00"; earlier than `opens`: on the next day.')


@strawberry.type(description="A day that is not as its weekday.")
class Holiday:
    """A holiday."""

    day: str = strawberry.field(description='The local day, like "2026-01-01".')
    spans: list[OpeningSpan] = strawberry.field(description="When it is open; empty: closed.")


@strawberry.type(description="When a store is open, by its own clock.")
class OpeningHours:
    """Opening hours."""

    weekly: list[list[OpeningSpan]] = strawberry.field(description="Seven days from Monday on; an empty one: closed.")
    holidays: list[Holiday] = strawberry.field(description="In the order of the days.")


@strawberry.input(description="An address as it is written on a letter.")
class AddressInput:
    """An address."""

    lines: list[str] = strawberry.field(description="Street, house, floor; 1 to 4.")
    city: str = strawberry.field(description="The city.")
    country: str = strawberry.field(description='ISO 3166-1 alpha-2, like "CN".')
    postal_code: str | None = strawberry.field(default=None, description="Null: none.")


@strawberry.input(description="A place on the globe.")
class PositionInput:
    """A position."""

    latitude: float = strawberry.field(description="Degrees, north positive.")
    longitude: float = strawberry.field(description="Degrees, east positive.")


@strawberry.input(description="From one time of the day to another, by the store's clock.")
class OpeningSpanInput:
    """A span."""

    opens: str = strawberry.field(description='"HH:MM".')
    closes: str = strawberry.field(description='"HH:MM", up to "24:00"; earlier than `opens`: on the next day.')


@strawberry.input(description="A day that is not as its weekday.")
class HolidayInput:
    """A holiday."""

    day: str = strawberry.field(description='The local day, like "2026-01-01".')
    spans: list[OpeningSpanInput] = strawberry.field(
        default_factory=list, description="When it is open, up to 10; empty: closed."
    )


@strawberry.input(description="When a store is open, by its own clock.")
class OpeningHoursInput:
    """Opening hours."""

    weekly: list[list[OpeningSpanInput]] = strawberry.field(
        description="Seven days from Monday on, each with up to 10 spans in their order; an empty one: closed."
    )
    holidays: list[HolidayInput] = strawberry.field(
        default_factory=list, description="Days that are not as their weekday; up to 400."
    )


def address(one: pb.Address) -> Address:
    """Make it of the proto."""
    return Address(lines=list(one.lines), city=one.city, postal_code=one.postal_code or None, country=one.country)


def position(one: pb.Position) -> Position:
    """Make it of the proto."""
    return Position(latitude=one.latitude, longitude=one.longitude)


def hours(one: pb.OpeningHours) -> OpeningHours:
    """Make it of the proto."""
    return OpeningHours(
        weekly=[_spans(day.spans) for day in one.weekly],
        holidays=[Holiday(day=each.day, spans=_spans(each.spans)) for each in one.holidays],
    )


def address_proto(wish: AddressInput | None) -> pb.Address:
    """Return the address as the service takes it; null is an empty one."""
    if wish is None:
        return pb.Address()
    return pb.Address(lines=wish.lines, city=wish.city, postal_code=wish.postal_code or "", country=wish.country)


def position_proto(wish: PositionInput | None) -> pb.Position:
    """Return the position as the service takes it; null is an empty one."""
    return pb.Position() if wish is None else pb.Position(latitude=wish.latitude, longitude=wish.longitude)


def hours_proto(wish: OpeningHoursInput | None) -> pb.OpeningHours:
    """Return the hours as the service takes them; null are empty ones."""
    if wish is None:
        return pb.OpeningHours()
    return pb.OpeningHours(
        # An empty week is kept apart from null: the service says what is wrong with it.
        weekly=[pb.OpeningDay(spans=_span_protos(spans)) for spans in wish.weekly] or [pb.OpeningDay()],
        holidays=[pb.Holiday(day=one.day, spans=_span_protos(one.spans)) for one in wish.holidays],
    )


def _spans(spans: Sequence[pb.OpeningSpan]) -> list[OpeningSpan]:
    return [OpeningSpan(opens=one.opens, closes=one.closes) for one in spans]


def _span_protos(spans: Sequence[OpeningSpanInput]) -> list[pb.OpeningSpan]:
    return [pb.OpeningSpan(opens=one.opens, closes=one.closes) for one in spans]
