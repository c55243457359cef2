from datetime import timedelta

import pytest

from services.kit.errors import KeyReusedError, Kind
from services.kit.mongo import command_keys
from services.kit.mongo.collections import Document, Session
from services.kit.mongo.command_keys import COMMAND_KEYS, Kept, fingerprint_of, keep, kept
from services.kit.mongo.database import Conflict, Database
from tests.support.clock import START


@pytest.fixture(autouse=True)
async def keys(database: Database) -> None:
    await command_keys.set_up(database)
    await command_keys.set_up(database)


def row(key: str, *, chain: str = "c") -> Document:
    return command_keys.row(
        chain=chain,
        key=key,
        fingerprint=fingerprint_of(b"buy tea"),
        answer=b"5 points",
        summary="5 points for tea",
        now=START,
    )


async def keep_all(database: Database, *rows: Document) -> None:
    async def body(session: Session) -> None:
        await keep(database, rows, session=session)

    await database.once_in_transaction(body)


async def test_what_was_used_is_found_and_nothing_else(database: Database) -> None:
    await keep_all(database, row("k1"), row("k2"), row("k1", chain="d"))
    tea = Kept(fingerprint_of(b"buy tea"), b"5 points", "5 points for tea", START)
    assert await kept(database, "c", ["k1", "k2", "k2", "k3"]) == {"k1": tea, "k2": tea}
    assert await kept(database, "d", ["k2"]) == {}
    assert await kept(database, "c", []) == {}


async def test_the_same_command_gets_the_same_answer(database: Database) -> None:
    await keep_all(database, row("k1"))
    found = await kept(database, "c", ["k1"])
    assert found["k1"].answer_to(fingerprint_of(b"buy tea")) == b"5 points"


async def test_another_command_with_a_used_key_is_shown_the_first(database: Database) -> None:
    await keep_all(database, row("k1"))
    found = await kept(database, "c", ["k1"])
    with pytest.raises(KeyReusedError) as reused:
        found["k1"].answer_to(fingerprint_of(b"buy coffee"))
    assert reused.value.message == "This key was used before for something else: 5 points for tea."
    assert (reused.value.kind, reused.value.code, reused.value.field) == (Kind.CONFLICT, "KEY_REUSED", "key")


async def test_a_key_that_another_replica_used_meanwhile_is_a_conflict(database: Database) -> None:
    await keep_all(database, row("k1"))
    with pytest.raises(Conflict):
        await keep_all(database, row("k2"), row("k1"))
    assert list(await kept(database, "c", ["k1", "k2"])) == ["k1"]


async def test_a_transaction_reads_the_keys_of_its_own_moment(database: Database) -> None:
    async def body(session: Session) -> list[str]:
        before = await kept(database, "c", ["k1"], session=session)
        await keep_all(database, row("k1"))
        return [*before, *await kept(database, "c", ["k1"], session=session)]

    assert await database.once_in_transaction(body) == []


async def test_keys_are_kept_for_90_days(database: Database) -> None:
    indexes = await database.collection(COMMAND_KEYS).index_information()
    assert timedelta(seconds=indexes["expiry"]["expireAfterSeconds"]) == timedelta(days=90)
    assert indexes["by_key"]["unique"]
