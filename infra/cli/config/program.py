"""The program within a configuration: its rules name stores by their codes there, and by their ids in the chain."""

from collections.abc import Mapping
from typing import Any

from infra.cli.asking import told
from infra.cli.config import documents
from infra.cli.importing.platform import Platform
from infra.cli.program import documents as of_programs
from infra.cli.program.command import given_terms, revision_of
from services.kit.errors import Kind, Problem

Terms = dict[str, Any]


class UnknownStoreError(Problem):
    """The program's rule {rule} names the store {store}, which the chain does not have: add it to `stores`."""

    kind = Kind.NOT_FOUND
    code = "STORE_NOT_FOUND"


async def live_terms(platform: Platform) -> Terms:
    """Return the terms that hold now, with stores by their codes."""
    return await _by_codes(platform, (await platform.ask(of_programs.LIVE))["program"]["live"]["terms"])


async def changed_places(platform: Platform, wanted: Terms) -> list[str]:
    """Return which of the uppermost terms differ from what holds now."""
    live = await live_terms(platform)
    return [name for name in sorted(live.keys() | wanted.keys()) if live.get(name) != wanted.get(name)]


async def save_as_draft(platform: Platform, wanted: Terms, *, name: str) -> str:
    """Keep the terms as a draft unless they hold already or the draft is the same; return what to say."""
    if not await changed_places(platform, wanted):
        return "program: as it should be"
    revision = await revision_of(platform, name)
    publishing = f"`huitou program diff --draft {name}` compares it, `huitou program publish --draft {name}` publishes"
    if revision:
        kept = (await platform.ask(of_programs.DRAFT, {"name": name}))["programDraft"]["terms"]
        if await _by_codes(platform, kept) == wanted:
            return f"program: draft {name}, revision {revision}, is the same already; {publishing}"
    ids = {one["code"]: one["id"] for one in (await platform.ask(documents.STORES))["stores"]}
    wish = {"name": name, "program": _renamed(wanted, ids, strict=True), "expectedRevision": revision}
    draft = (await told(platform, of_programs.SAVE, "saveProgramDraft", wish))["draft"]
    return f"program: saved as draft {draft['name']}, revision {draft['revision']}; {publishing}"


async def _by_codes(platform: Platform, terms: Terms) -> Terms:
    codes = {one["id"]: one["code"] for one in (await platform.ask(documents.STORES))["stores"]}
    return _renamed(given_terms(terms), codes, strict=False)


def _renamed(terms: Terms, names: Mapping[str, str], *, strict: bool) -> Terms:
    """Return the terms with other names for stores; one without another name stays, or is refused when `strict`."""
    earning = terms.get("earning") or {}
    rules = [_with_stores(rule, names, strict=strict) for rule in earning.get("rules") or []]
    return {**terms, "earning": {**earning, "rules": rules}} if rules else terms


def _with_stores(rule: Terms, names: Mapping[str, str], *, strict: bool) -> Terms:
    where = rule.get("where") or {}
    stores = where.get("stores")
    if not stores:
        return rule
    if strict and (unknown := [store for store in stores if store not in names]):
        raise UnknownStoreError(rule=rule.get("code", ""), store=unknown[0])
    return {**rule, "where": {**where, "stores": sorted(names.get(store, store) for store in stores)}}
