"""What was done to the database of members, in order; a step that has run anywhere is never changed."""

from collections.abc import Sequence

from services.kit.mongo.database import Database, create_indexes
from services.kit.mongo.migrations import Migration
from services.kit.outbox import told
from services.kit.outbox.outbox import Outbox
from services.kit.rabbit.cursors import seed_cursors
from services.kit.rabbit.sequencing import Origin
from services.members.events import MEMBER_STREAM
from services.members.store import (
    account_managers,
    activities,
    attributes,
    cards,
    chain_collections,
    chains,
    consents,
    export_collections,
    follow_ups,
    households,
    imports,
    likenesses,
    looks,
    notes,
    referrals,
    reviews,
    sealing,
    staff_collections,
    timeline,
)
from services.members.store.collections import INDEXES, MEMBERS, MERGING_INDEXES
from services.members.store.vault import Vault

SEEDED_AT_ONCE = 1_000


async def _first(database: Database) -> None:
    for keyed, indexes in INDEXES.items():
        await create_indexes(database, keyed, indexes)


async def _jobs(database: Database) -> None:
    await imports.set_up(database)
    await households.set_up(database)


async def _looking(database: Database) -> None:
    await reviews.set_up(database)
    await likenesses.set_up(database)


async def _hear_itself(database: Database) -> None:
    """Hear the service's own events from here on: who was enrolled before is credited to nobody."""
    for chain in await Outbox(database).chains():
        told_before = {"chain": chain, "events.sequence": {"$gt": 0}}
        members = database.collection(MEMBERS).find(told_before, {"member": True, "events.sequence": True})
        while some := await members.to_list(SEEDED_AT_ONCE):
            places = {Origin(chain, one["member"], MEMBER_STREAM): one["events"]["sequence"] for one in some}
            await seed_cursors(database, places)


def migrations(vault: Vault) -> Sequence[Migration]:
    """Return the steps; `vault` is where the third one keeps the keys that it makes."""

    async def seal(database: Database) -> None:
        for keyed, indexes in MERGING_INDEXES.items():
            await create_indexes(database, keyed, indexes)
        await timeline.set_up(database)
        await looks.set_up(database)
        await vault.set_up()
        await sealing.seal_members(database, vault)

    async def hide(database: Database) -> None:
        await vault.set_up()
        await chains.hide_secrets(database, vault)

    async def look_after(database: Database) -> None:
        for each in (account_managers, attributes, notes, follow_ups):
            await each.set_up(database)

    return (
        Migration(1, "chains, stores, menu items, API keys, members and identities", _first),
        Migration(2, "what sandboxes have told", told.set_up),
        Migration(3, "profiles are sealed, members can be merged", seal),
        Migration(4, "brands, regions, partners, QR codes, positions of stores", chain_collections.set_up),
        Migration(5, "staff, their settings, targets and credits", staff_collections.set_up),
        Migration(6, "cards", cards.set_up),
        Migration(7, "what members agree to", consents.set_up),
        Migration(8, "imports and households", _jobs),
        Migration(9, "secrets of chains are in the vault", hide),
        Migration(10, "QR codes by store", chain_collections.index_codes),
        Migration(11, "referrals and their codes", referrals.set_up),
        Migration(12, "activities from other systems", activities.set_up),
        Migration(13, "reviews of what looks like fraud, likely duplicates", _looking),
        Migration(14, "exports", export_collections.set_up),
        Migration(15, "how members are looked after: attributes, notes, follow-ups, managers", look_after),
        Migration(16, "cursors for its own events", _hear_itself),
    )
