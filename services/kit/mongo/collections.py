"""What a collection is called, by which fields it is spread over shards, and who notices a command that forgot them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from services.kit.mongo.shard_keys import ShardKey, changes_key, misses_in_document, misses_prefix, misses_whole

Command = Mapping[str, Any]
Document = dict[str, Any]
Collection = AsyncCollection[Document]
"""Whichever driver is behind it: motor's has the same methods, except those that `drivers.py` evens out."""

Session = AsyncClientSession
"""Opaque: what a transaction's body passes on as `session=`."""


@dataclass(frozen=True, slots=True)
class Keyed:
    """A collection and its shard key: top-level field names, in order. No key: a small control collection."""

    name: str
    shard_key: tuple[str, ...]

    def __post_init__(self) -> None:
        if any("." in field or field.startswith("$") for field in self.shard_key):
            message = f"the shard key of {self.name} must consist of top-level fields: {self.shard_key}"
            raise ValueError(message)


SCHEMA = frozenset({"create", "drop", "createIndexes", "dropIndexes", "listIndexes", "collMod", "killCursors"})
"""Commands on a collection that go to every shard by their nature."""

EVERYWHERE = "asked of every shard on purpose"
"""As a find's `comment`: a migration or a job goes through all there is, which no user waits for."""

JOINS = ("$lookup", "$graphLookup", "$unionWith", "$out", "$merge")
"""Stages that touch a second collection; whether they carry its key cannot be seen, so keyed ones are refused."""


class ShardKeyListener(CommandListener):
    """Keeps in `misses` what one service's databases were asked without the shard key, a line for each."""

    def __init__(self, database_name: str) -> None:
        self.misses: list[str] = []
        self._database_names = {database_name}
        self._declared: dict[str, Keyed] = {}

    def listen_to(self, database_name: str) -> None:
        """Listen to one more database of the same client."""
        self._database_names.add(database_name)

    def declare(self, keyed: Keyed) -> None:
        """Make a collection known; two declarations of one name must agree."""
        if self._declared.setdefault(keyed.name, keyed) != keyed:
            message = f"{keyed.name} is declared with two shard keys"
            raise ValueError(message)

    def started(self, event: CommandStartedEvent) -> None:
        """Check a command that is about to be sent."""
        name = event.command_name
        target = event.command.get("collection") if name == "getMore" else event.command.get(name)
        if event.database_name not in self._database_names or not isinstance(target, str):
            return
        if name in SCHEMA or name == "getMore" or (name == "find" and event.command.get("comment") == EVERYWHERE):
            return
        if (keyed := self._declared.get(target)) is None:
            self.misses.append(f"{name} {target}: the collection is not declared")
            return
        self.misses += [f"{name} {target}: {miss}" for miss in self._missing(name, keyed, event.command) if miss]

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Nothing: what counts is what was asked."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Nothing, as `succeeded`."""

    def _missing(self, name: str, keyed: Keyed, command: Command) -> Iterator[str]:
        if name == "aggregate":
            yield from self._joined(command["pipeline"])
        if not keyed.shard_key:
            return
        check = CHECKS.get(name)
        yield from check(keyed.shard_key, command) if check else ["this command is not known to carry a shard key"]

    def _joined(self, pipeline: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        for stage in pipeline:
            for operator, argument in stage.items():
                if operator == "$facet":
                    for branch in argument.values():
                        yield from self._joined(branch)
                if operator in JOINS and self._is_keyed(other := _second_collection(argument)):
                    yield f"{operator} of {other} does not show its shard key"

    def _is_keyed(self, name: str) -> bool:
        keyed = self._declared.get(name)
        return keyed is None or bool(keyed.shard_key)


def _second_collection(argument: Any) -> str:
    if isinstance(argument, str):
        return argument
    target = argument.get("from") or argument.get("coll") or argument.get("into")
    return str(target.get("coll") if isinstance(target, Mapping) else target)


def _find(shard_key: ShardKey, command: Command) -> Iterator[str]:
    yield misses_prefix(shard_key, command.get("filter", {}))


def _query(shard_key: ShardKey, command: Command) -> Iterator[str]:
    yield misses_prefix(shard_key, command.get("query", {}))


def _aggregate(shard_key: ShardKey, command: Command) -> Iterator[str]:
    """Only leading `$match` stages decide which shards are asked; a change stream listens to all of them."""
    pipeline = command["pipeline"]
    if pipeline and "$changeStream" in pipeline[0]:
        return
    leading: list[Mapping[str, Any]] = []
    for stage in pipeline:
        if "$match" not in stage:
            break
        leading.append(stage["$match"])
    yield misses_prefix(shard_key, {"$and": leading})


def _insert(shard_key: ShardKey, command: Command) -> Iterator[str]:
    for document in command["documents"]:
        yield misses_in_document(shard_key, document)


def _update(shard_key: ShardKey, command: Command) -> Iterator[str]:
    for update in command["updates"]:
        many = update.get("multi") and not update.get("upsert")
        yield misses_prefix(shard_key, update["q"]) if many else misses_whole(shard_key, update["q"])
        yield changes_key(shard_key, update["u"])


def _delete(shard_key: ShardKey, command: Command) -> Iterator[str]:
    for delete in command["deletes"]:
        yield misses_whole(shard_key, delete["q"]) if delete["limit"] == 1 else misses_prefix(shard_key, delete["q"])


def _find_and_modify(shard_key: ShardKey, command: Command) -> Iterator[str]:
    yield misses_whole(shard_key, command.get("query", {}))
    if "update" in command:
        yield changes_key(shard_key, command["update"])


CHECKS: dict[str, Callable[[ShardKey, Command], Iterator[str]]] = {
    "find": _find,
    "count": _query,
    "distinct": _query,
    "aggregate": _aggregate,
    "insert": _insert,
    "update": _update,
    "delete": _delete,
    "findAndModify": _find_and_modify,
}
