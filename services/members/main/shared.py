"""What the servicers of members share."""

from dataclasses import dataclass
from secrets import token_bytes

from services.kit.chain_clocks import ChainClocks
from services.kit.clock import Clock
from services.kit.ids import make_id
from services.kit.mongo.database import Database
from services.kit.outbox.outbox import Outbox
from services.members.store.cards import MongoCards
from services.members.store.chains import MongoChains
from services.members.store.codes import MongoQrCodes
from services.members.store.looks import MongoLooks
from services.members.store.members import MongoMembers
from services.members.store.stores import MongoStores
from services.members.store.units import MongoUnits
from services.members.store.vault import Vault
from services.members.usecases.changes import ChangeDesk
from services.members.usecases.codes import CodeDesk


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """One service's database, and what is on it that several servicers need."""

    database: Database
    vault: Vault
    outbox: Outbox
    clock: Clock
    clocks: ChainClocks
    chains: MongoChains
    members: MongoMembers
    stores: MongoStores
    cards: MongoCards
    looks: MongoLooks
    changes: ChangeDesk

    @classmethod
    def on(
        cls, database: Database, vault: Vault, outbox: Outbox, *, clock: Clock, clocks: ChainClocks, payer_key: bytes
    ) -> "Shared":
        """Return what lies on this database."""
        chains, units = MongoChains(database, vault), MongoUnits(database, vault, outbox)
        return cls(
            database=database,
            vault=vault,
            outbox=outbox,
            clock=clock,
            clocks=clocks,
            chains=chains,
            members=MongoMembers(database, vault),
            stores=MongoStores(database, outbox),
            cards=MongoCards(database, vault),
            looks=MongoLooks(database),
            changes=ChangeDesk(chains=chains, units=units, make_id=make_id, payer_key=payer_key),
        )

    @property
    def codes(self) -> CodeDesk:
        """What QR codes need."""
        return CodeDesk(MongoQrCodes(self.database), self.stores, random_bytes=token_bytes)
