"""Turns: changes to one list of a chain (its stores, its menu) come one after another, by its document."""

from dataclasses import dataclass

from pymongo import UpdateOne

from services.kit.mongo.database import Database, Session
from services.kit.mongo.guards import write_guarded
from services.members.store.collections import CHAINS


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a list stands: how often it was saved, and how many things are on it."""

    saves: int
    count: int


async def read_turn(database: Database, *, chain: str, of: str, session: Session) -> Turn:
    """Return where the chain's list `of` stands ("stores", "menu", "brands" …); the chain is open.

    A list that is younger than the chain has no place in its document until it is first saved.
    """
    found = await database.collection(CHAINS).find_one({"chain": chain}, {of: True}, session=session)
    return Turn(**(found or {}).get(of, {"saves": 0, "count": 0}))


async def take_turn(database: Database, turn: Turn, *, chain: str, of: str, added: int, session: Session) -> None:
    """Go on from `turn`; `Conflict` when somebody else has."""
    after = {f"{of}.saves": turn.saves + 1, f"{of}.count": turn.count + added}
    read = turn.saves or {"$in": [0, None]}
    write = UpdateOne({"chain": chain, f"{of}.saves": read}, {"$set": after})
    await write_guarded(database.collection(CHAINS), [write], session=session)
