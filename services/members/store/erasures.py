"""Erasures after a restore: whoever is back from a backup is forgotten again, by what the vault remembers."""

from datetime import datetime

from services.kit.mongo.database import Database, Session
from services.members.store.collections import IDENTITIES, MEMBERS
from services.members.store.documents import NOT_ASKED_BY
from services.members.store.export_collections import destroy_with
from services.members.store.forgetting import FORGOTTEN
from services.members.store.profiles import PROFILE
from services.members.store.timeline import forget_activities
from services.members.store.vault import Vault
from services.members.usecases.erasure import Erasure

AT_ONCE = 500


async def erase_again(database: Database, vault: Vault, chain: str, *, now: datetime) -> int:
    """Erase those of the chain's members anew who were erased before and are back; returns how many. Tells nobody.

    The other services hear of nothing, as a restored outbox counts from the backup's day: they ask `ListErasures`.
    """
    done = 0
    after: Erasure | None = None
    while erasures := await vault.erasures(chain, after=after, first=AT_ONCE):
        after = erasures[-1]
        back = await _back(database, vault, chain, [one.member for one in erasures])
        if back:
            await _forget(database, vault, chain, {one.member: one.at for one in erasures if one.member in back}, now)
        done += len(back)
    return done


class ErasuresKept:
    """What a job needs to hold on to erasures after a restore."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database, self._vault = database, vault

    async def chains(self) -> list[str]:
        """Return the chains that have erased somebody."""
        return await self._vault.chains_with_erasures()

    async def erase_again(self, chain: str, *, now: datetime) -> int:
        """Erase those of the chain's members anew who were erased before and are back."""
        return await erase_again(self._database, self._vault, chain, now=now)


async def _back(database: Database, vault: Vault, chain: str, erased: list[str]) -> set[str]:
    condition = {"chain": chain, "member": {"$in": erased}, "erased_at": None}
    found = await database.collection(MEMBERS).find(condition, {"member": True}).to_list(len(erased))
    keys = await vault.keys(chain, erased)
    return {one["member"] for one in found} | set(keys)


async def _forget(database: Database, vault: Vault, chain: str, erased_at: dict[str, datetime], now: datetime) -> None:
    members = sorted(erased_at)

    async def once(session: Session) -> None:
        condition = {"chain": chain, "member": {"$in": members}}
        for keyed in (IDENTITIES, *FORGOTTEN):
            await database.collection(keyed).delete_many(condition, session=session)
        await forget_activities(database, chain, members, session=session)
        for member, at in erased_at.items():
            gone = {"erased_at": at, PROFILE: b"", "tags": [], "attributes": [], "asked_by": NOT_ASKED_BY}
            unlinked = {"source.campaign": "", "source.referrer": "", "source.link": ""}
            await database.collection(MEMBERS).update_one(
                {"chain": chain, "member": member}, {"$set": gone | unlinked}, session=session
            )
        await vault.destroy(chain, members, now=now, session=session)
        await destroy_with(database, vault, chain, members, session=session)

    await database.in_transaction(once)
