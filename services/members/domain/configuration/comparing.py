"""What a configuration would change in a chain, told field by field; and what only the chain has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import orjson

from services.members.domain.brands import save_brands
from services.members.domain.chains import Chain
from services.members.domain.configuration.kinds import Configuration, Held, OtherCurrencyError, Part
from services.members.domain.configuration.writing import Described, described
from services.members.domain.menu import save_items
from services.members.domain.named import Named
from services.members.domain.partners import save_partners
from services.members.domain.regions import save_regions
from services.members.domain.stores import save_stores


class Difference(StrEnum):
    """How a thing differs."""

    ADDED = "added"
    CHANGED = "changed"
    ONLY_IN_CHAIN = "only_in_chain"  # and it stays: nothing is ever deleted


@dataclass(frozen=True, slots=True)
class Line:
    """One difference. `field` is a path within the thing, empty unless it is changed; the values are JSON, "": none."""

    part: Part
    code: str
    difference: Difference
    field: str = ""
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    """How many things of a part differ, and how."""

    part: Part
    added: int
    changed: int
    unchanged: int
    only_in_chain: int


def result_of(wanted: Configuration, held: Held, *, chain: Chain) -> Held:
    """Return what the chain would have; new stores have no id. Raises what saving it would, with the same places."""
    if wanted.currency != chain.currency:
        raise OtherCurrencyError(field="currency", theirs=wanted.currency or "nothing", ours=chain.currency)
    brands = _merged(held.brands, save_brands(wanted.brands or (), {one.code: one for one in held.brands}).all)
    regions = _merged(held.regions, save_regions(wanted.regions or (), {one.code: one for one in held.regions}).all)
    partners = save_partners(wanted.partners or (), {one.code: one for one in held.partners}).all
    named = Named(frozenset(one.code for one in brands), frozenset(one.code for one in regions))
    stores = save_stores(
        wanted.stores or (),
        known={one.code: one for one in held.stores},
        count=len(held.stores),
        chain=chain,
        new_id=str,
        named=named,
    ).stores
    items = save_items(
        wanted.items or (), known={one.code: one for one in held.items}, count=len(held.items), named=named
    ).items
    return replace(
        held,
        brands=brands,
        regions=regions,
        partners=_merged(held.partners, partners),
        stores=_merged(held.stores, stores),
        items=_merged(held.items, items),
    )


def differences(wanted: Configuration, held: Held, result: Held, *, parts: Sequence[Part]) -> list[Line]:
    """Return what differs in those of `parts` that are wanted, in their order and that of the codes."""
    before, after, said = described(held), described(result), _said(wanted)
    lines: list[Line] = []
    for part in parts:
        if (codes := said[part]) is None:
            continue
        for code in sorted(codes | before[part].keys()):
            was, is_ = before[part].get(code), after[part][code]
            if was is None:
                lines.append(Line(part, code, Difference.ADDED))
            elif code not in codes:
                lines.append(Line(part, code, Difference.ONLY_IN_CHAIN))
            else:
                lines += [
                    Line(part, code, Difference.CHANGED, path, _json(old), _json(new))
                    for path, old, new in _changes(was, is_, "")
                ]
    return lines


def counts(wanted: Configuration, lines: Sequence[Line], *, parts: Sequence[Part]) -> list[Count]:
    """Return how much differs in those of `parts` that are wanted."""
    found = []
    for part in parts:
        if (codes := _said(wanted)[part]) is None:
            continue
        by = {
            difference: {line.code for line in lines if line.part is part and line.difference is difference}
            for difference in Difference
        }
        added, changed = len(by[Difference.ADDED]), len(by[Difference.CHANGED])
        unchanged = len(codes) - added - changed
        found.append(Count(part, added, changed, unchanged, len(by[Difference.ONLY_IN_CHAIN])))
    return found


def _said(wanted: Configuration) -> dict[Part, set[str] | None]:
    lists: dict[Part, Sequence[Any] | None] = {
        Part.BRANDS: wanted.brands,
        Part.REGIONS: wanted.regions,
        Part.PARTNERS: wanted.partners,
        Part.STORES: wanted.stores,
        Part.MENU: wanted.items,
    }
    return {part: None if some is None else {one.code for one in some} for part, some in lists.items()}


def _merged(held: tuple[Any, ...], saved: tuple[Any, ...]) -> tuple[Any, ...]:
    by_code = {one.code: one for one in (*held, *saved)}
    return tuple(by_code[code] for code in sorted(by_code))


def _changes(was: Described, is_: Described, path: str) -> list[tuple[str, Any, Any]]:
    found: list[tuple[str, Any, Any]] = []
    for name in sorted(was.keys() | is_.keys()):
        old, new, at = was.get(name), is_.get(name), f"{path}{name}"
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += _changes(old, new, f"{at}.")
        else:
            found.append((at, old, new))
    return found


def _json(value: Any) -> str:
    return "" if value is None else orjson.dumps(value).decode()
