"""Stores and menu items of the domain as protos, and back."""

from collections.abc import Sequence
from datetime import date, datetime

from protos.members.v1 import chains_pb2 as pb
from services.members.domain.hours import Hours, InvalidHoursError, Span, span, written
from services.members.domain.menu import MenuItem, WantedItem
from services.members.domain.places import Address, InvalidPlaceError, Position
from services.members.domain.stores import Store, WantedStore, is_open_at
from services.members.domain.wanted import KEEP, Wanted


def store_proto(store: Store, *, now: datetime) -> pb.Store:
    """Return the store as it is at `now`."""
    return pb.Store(
        id=store.id,
        code=store.code,
        name=store.name,
        time_zone=store.time_zone,
        currency=store.currency,
        version=store.version,
        region=store.region,
        brand=store.brand,
        address=_address_proto(store.address) if store.address else None,
        position=_position_proto(store.position) if store.position else None,
        hours=_hours_proto(store.hours) if store.hours else None,
        closed=store.closed,
        is_open=is_open_at(store, now),
    )


def wanted_store(store: pb.StoreInput, *, number: int) -> WantedStore:
    """Return the store as the caller wants it; `number` is its place in the call, for what is written wrongly."""
    path = f"stores.{number}"
    return WantedStore(
        code=store.code,
        name=store.name,
        time_zone=store.time_zone,
        region=store.region,
        brand=store.brand if store.HasField("brand") else KEEP,
        address=_address(store.address) if store.HasField("address") else KEEP,
        position=_position(store.position, path=f"{path}.position") if store.HasField("position") else KEEP,
        hours=_hours(store.hours, path=f"{path}.hours") if store.HasField("hours") else KEEP,
        closed=store.closed if store.HasField("closed") else KEEP,
    )


def item_proto(item: MenuItem) -> pb.MenuItem:
    """Return the menu item; without a cost where none is to be shown."""
    return pb.MenuItem(
        code=item.code,
        name=item.name,
        category=item.category,
        price_minor=item.price_minor,
        version=item.version,
        launched_on=item.launched_on,
        cost=None if item.cost_minor is None else pb.MenuItemCost(minor=item.cost_minor),
        on_sale=item.on_sale,
        in_stock=item.in_stock,
        brand=item.brand,
        stock_exception_store_ids=item.stock_exceptions,
    )


def wanted_item(item: pb.MenuItem) -> WantedItem:
    """Return the menu item as the caller wants it."""
    cost: Wanted[int | None] = KEEP
    if item.HasField("cost"):
        cost = item.cost.minor if item.cost.HasField("minor") else None
    return WantedItem(
        code=item.code,
        name=item.name,
        category=item.category,
        price_minor=item.price_minor,
        launched_on=item.launched_on,
        cost_minor=cost,
        on_sale=item.on_sale if item.HasField("on_sale") else KEEP,
        in_stock=item.in_stock if item.HasField("in_stock") else KEEP,
        brand=item.brand if item.HasField("brand") else KEEP,
    )


def _address(address: pb.Address) -> Address | None:
    if address == pb.Address():
        return None
    return Address(tuple(address.lines), address.city, address.postal_code, address.country)


def _position(position: pb.Position, *, path: str) -> Position | None:
    if position == pb.Position():
        return None
    if not position.HasField("latitude") or not position.HasField("longitude"):
        raise InvalidPlaceError(field=path, why="a position has both a latitude and a longitude")
    return Position(position.latitude, position.longitude)


def _hours(hours: pb.OpeningHours, *, path: str) -> Hours | None:
    if hours == pb.OpeningHours():
        return None
    holidays: dict[date, tuple[Span, ...]] = {}
    for number, holiday in enumerate(hours.holidays):
        at = f"{path}.holidays.{number}"
        try:
            day = date.fromisoformat(holiday.day)
        except ValueError as error:
            raise InvalidHoursError(field=f"{at}.day", why='a day is like "2026-03-01"') from error
        if day in holidays:
            raise InvalidHoursError(field=f"{at}.day", why="this day stands twice")
        holidays[day] = _spans(holiday.spans, path=f"{at}.spans")
    weekly = tuple(_spans(day.spans, path=f"{path}.weekly.{number}") for number, day in enumerate(hours.weekly))
    return Hours(weekly, holidays)


def _spans(spans: Sequence[pb.OpeningSpan], *, path: str) -> tuple[Span, ...]:
    return tuple(span(one.opens, one.closes, path=f"{path}.{number}") for number, one in enumerate(spans))


def _hours_proto(hours: Hours) -> pb.OpeningHours:
    return pb.OpeningHours(
        weekly=[pb.OpeningDay(spans=_spans_proto(spans)) for spans in hours.weekly],
        holidays=[
            pb.Holiday(day=day.isoformat(), spans=_spans_proto(spans)) for day, spans in sorted(hours.holidays.items())
        ],
    )


def _spans_proto(spans: Sequence[Span]) -> list[pb.OpeningSpan]:
    return [pb.OpeningSpan(opens=written(one.opens), closes=written(one.closes)) for one in spans]


def _address_proto(address: Address) -> pb.Address:
    return pb.Address(lines=address.lines, city=address.city, postal_code=address.postal_code, country=address.country)


def _position_proto(position: Position) -> pb.Position:
    return pb.Position(latitude=position.latitude, longitude=position.longitude)
