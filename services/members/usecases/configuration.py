"""A chain's configuration: write it down, compare it with a document, make the chain as a document says."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Protocol

from services.kit.errors import Problem
from services.kit.ids import MakeId
from services.kit.principal import NotAllowedError, Principal
from services.members.domain.brands import Brand
from services.members.domain.chains import Chain
from services.members.domain.configuration.comparing import Count, Line, counts, differences, result_of
from services.members.domain.configuration.kinds import Configuration, Held, Part
from services.members.domain.configuration.reading import configuration_of
from services.members.domain.configuration.writing import document_of
from services.members.domain.enrollment import check_command_key
from services.members.domain.partners import Partner
from services.members.domain.regions import Region
from services.members.usecases.chains import ChainFinder, callers_chain
from services.members.usecases.coded import Listed
from services.members.usecases.menu import Menu
from services.members.usecases.stores import Stores

MAX_LINES = 5_000
"""Differences that are told one by one; beyond, their counts."""


class Commands(Protocol):
    """Where it is kept which commands were carried out."""

    async def answer(self, chain: str, key: str, asked: str) -> str | None:
        """Return the first answer to the key; None: it is new. Raises KeyReusedError when something else was asked."""

    async def note(self, chain: str, key: str, asked: str, answer: str, *, now: datetime) -> None:
        """Keep the answer, unless somebody was faster."""


@dataclass(frozen=True, slots=True)
class ConfigurationDesk:
    """Where all that a configuration describes is kept."""

    chains: ChainFinder
    brands: Listed[Brand]
    regions: Listed[Region]
    partners: Listed[Partner]
    stores: Stores
    menu: Menu
    commands: Commands
    make_id: MakeId


@dataclass(frozen=True, slots=True)
class Compared:
    """What a document would change: all counts, and the first `MAX_LINES` differences."""

    counts: tuple[Count, ...]
    lines: tuple[Line, ...]


async def export_configuration(*, caller: Principal, desk: ConfigurationDesk) -> str:
    """Return the chain's configuration as its canonical document."""
    chain = await _whole_chain(caller, desk)
    return document_of(await _held(chain.id, desk), currency=chain.currency)


async def compare_configuration(
    document: str, *, parts: Sequence[Part], caller: Principal, desk: ConfigurationDesk
) -> Compared:
    """Return what the document would change in `parts` (none named: all). Changes nothing."""
    chain = await _whole_chain(caller, desk)
    return await _compared(_read(document), parts or tuple(Part), chain, desk)


async def apply_configuration(
    document: str,
    *,
    key: str,
    parts: Sequence[Part],
    dry_run: bool,
    caller: Principal,
    now: datetime,
    desk: ConfigurationDesk,
    traceparent: str = "",
) -> Compared | None:
    """Make `parts` (none named: all) as the document says, each all or nothing, in the order in which they name each
    other; return what that changed. None: the key was used for the same before, and nothing was done now.

    All of the document is checked before any of it is saved. What only the chain has stays.
    """
    check_command_key(key)
    chain = await _whole_chain(caller, desk)
    asked = repr(("apply", document, sorted(parts), dry_run))
    if await desk.commands.answer(chain.id, key, asked) is not None:
        return None
    wanted, parts = _read(document), parts or tuple(Part)
    compared = await _compared(wanted, parts, chain, desk)
    if dry_run:
        return compared
    for part in Part:
        if part in parts:
            await _save(part, wanted, chain=chain, now=now, desk=desk, traceparent=traceparent)
    await desk.commands.note(chain.id, key, asked, "applied", now=now)
    return compared


async def _save(
    part: Part, wanted: Configuration, *, chain: Chain, now: datetime, desk: ConfigurationDesk, traceparent: str
) -> None:
    match part:
        case Part.BRANDS:
            await desk.brands.save(wanted.brands or (), chain=chain.id, now=now, traceparent=traceparent)
        case Part.REGIONS:
            await desk.regions.save(wanted.regions or (), chain=chain.id, now=now, traceparent=traceparent)
        case Part.PARTNERS:
            await desk.partners.save(wanted.partners or (), chain=chain.id, now=now, traceparent=traceparent)
        case Part.STORES:
            new_id = partial(desk.make_id, "sto", now)
            await desk.stores.save(wanted.stores or (), chain=chain, new_id=new_id, now=now, traceparent=traceparent)
        case Part.MENU:
            await desk.menu.save(wanted.items or (), chain=chain.id, now=now, traceparent=traceparent)


async def _compared(wanted: Configuration, parts: Sequence[Part], chain: Chain, desk: ConfigurationDesk) -> Compared:
    held = await _held(chain.id, desk)
    with _places_of_the_document():
        result = result_of(wanted, held, chain=chain)
    lines = differences(wanted, held, result, parts=parts)
    return Compared(tuple(counts(wanted, lines, parts=parts)), tuple(lines[:MAX_LINES]))


async def _held(chain: str, desk: ConfigurationDesk) -> Held:
    held = Held(
        brands=tuple(await desk.brands.every(chain)),
        regions=tuple(await desk.regions.every(chain)),
        partners=tuple(await desk.partners.every(chain)),
    )
    stores, items = await desk.stores.every(chain), await desk.menu.every(chain)
    return replace(held, stores=tuple(stores), items=tuple(items))


async def _whole_chain(caller: Principal, desk: ConfigurationDesk) -> Chain:
    if caller.stores:
        raise NotAllowedError(why="it is limited to some stores, and the configuration is the whole chain's")
    return await callers_chain(caller, chains=desk.chains)


def _read(document: str) -> Configuration:
    with _places_of_the_document():
        return configuration_of(document)


@contextmanager
def _places_of_the_document() -> Iterator[None]:
    """Name the place of what is wrong as the document does: what a call names `items` is its `menu`."""
    try:
        yield
    except Problem as problem:
        if problem.field.startswith("items."):
            problem.field = f"menu.{problem.field.removeprefix('items.')}"
        raise
