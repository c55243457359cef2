"""Members of the model that become one, and two again: whose tokens go where."""

from typing import TYPE_CHECKING

from services.points.domain.commands import Merge, Split
from tests.support.ledger_tokens import FREE, HELD, Brought, Member, ModelHold, Token

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Members(dict[str, Member]):
    """Members by name; the name of one that was taken over means the other."""

    def where(self, name: str) -> str:
        while into := self.own(name).into:
            name = into
        return name

    def own(self, name: str) -> Member:
        return super().__getitem__(name)

    def __getitem__(self, name: str) -> Member:
        return self.own(self.where(name))


class Merges:
    """What a model of members can do besides."""

    def __init__(self) -> None:
        self.members = Members()
        self.been: dict[str, set[str]] = {}  # where each has ever been

    def where(self, name: str) -> str:
        return self.members.where(name)

    def path(self, name: str) -> "Iterator[Member]":
        while (member := self.members.own(name)).into:
            yield member
            name = member.into

    def ever_one(self, one: str, other: str) -> bool:
        return bool(self._homes(one) & self._homes(other))

    def _homes(self, name: str) -> set[str]:
        found, new = set[str](), {name}
        while new:
            found |= new
            new = {home for one in new for home in self.been.get(one, ())} - found
        return found

    def all_tokens(self) -> list[Token]:
        return [token for name in self.members for token in self.members.own(name).tokens]

    def keeper(self, hold: str) -> str | None:
        return next((name for name in self.members if hold in self.members.own(name).holds), None)

    def hold_of(self, member: Member, hold: str) -> ModelHold | None:
        """Return a hold of the member's, or of one that is in it."""
        keeper = self.keeper(hold)
        return self.members.own(keeper).holds[hold] if keeper and self.members[keeper] is member else None

    def give_back(self, member: Member, tokens: "Sequence[Token]", *, holder: str) -> None:
        for token in tokens:
            for name in self.members:
                others = self.members.own(name)
                others.tokens = [one for one in others.tokens if one is not token]
            token.state, token.hold = FREE, ""
            member.tokens.append(token)
            for merged in self.path(holder):
                assert merged.brought is not None
                merged.brought.lots.add((token.source, token.currency))

    def less_brought(self, holder: str, currency: str, earned: int) -> None:
        for merged in self.path(holder):
            assert merged.brought is not None
            before = merged.brought.lifetime.get(currency, 0)
            merged.brought.lifetime[currency] = max(0, before - earned)

    def less_brought_spend(self, holder: str, spend: int) -> None:
        for merged in self.path(holder):
            assert merged.brought is not None
            merged.brought.spend -= spend

    def _review(self, member: Member) -> None:
        raise NotImplementedError

    def merge(self, command: Merge) -> None:
        source, into = self.members.own(command.account), self.where(command.into)
        if source.into or self.where(command.account) == into:
            return
        self._join(command, command.account, into, command.merge, command.into)
        self._review(self.members[into])

    def _join(self, command: Merge | Split, name: str, into: str, merge: str, meant: str) -> None:
        source, target = self.members.own(name), self.members.own(into)
        source.advance(command.at)
        target.advance(command.at)
        going = [token for token in source.tokens if token.state in {FREE, HELD}]
        holds = {id_: hold for id_, hold in source.holds.items() if hold.state == "open"}
        source.brought = Brought(
            merge,
            meant,
            {(token.source, token.currency) for token in going},
            set(holds),
            dict(source.debt),
            dict(source.lifetime),
            source.spend,
            source.frozen and not target.frozen,
        )
        _move(source, target, going, holds, (source.debt, source.lifetime))
        target.spend += source.spend
        source.spend = 0
        target.frozen = target.frozen or source.frozen
        source.into = into
        self.been.setdefault(name, set()).add(into)

    def split(self, command: Split) -> None:
        source = self.members.own(command.account)
        if source.brought is None or source.brought.merge != command.merge:
            return
        target = self.members[command.account]
        companions = self._companions(command.account)
        self._part(command, command.account)
        for name in companions:
            brought = self.members.own(name).brought
            assert brought is not None
            self._part(command, name)
            self._join(command, name, command.account, brought.merge, brought.meant)
        for one in (target, source):
            self._review(one)

    def _companions(self, name: str) -> list[str]:
        """Return who meant this member, and went into whom that had gone into."""
        family = [one for one in self.members if self.where(one) == self.where(name)]
        meant = {name}
        for _ in family:
            meant |= {one for one in family if (came := self.members.own(one).brought) and came.meant in meant}
        return [one for one in family if one in meant - {name} and self.members.own(one).into not in meant]

    def _part(self, command: Split, name: str) -> None:
        source, target = self.members.own(name), self.members[name]
        brought, between = source.brought, list(self.path(name))[1:]
        assert brought is not None
        target.advance(command.at)
        holds = {id_: hold for id_, hold in target.holds.items() if hold.state == "open" and id_ in brought.holds}
        going = [
            token
            for token in target.tokens
            if (token.state == FREE and (token.source, token.currency) in brought.lots)
            or (token.state == HELD and token.hold in holds)
        ]
        debt = {name: min(much, target.debt.get(name, 0)) for name, much in brought.debt.items()}
        lifetime = {name: min(much, target.lifetime.get(name, 0)) for name, much in brought.lifetime.items()}
        _move(target, source, going, holds, (debt, lifetime))
        source.spend, target.spend = brought.spend, target.spend - brought.spend
        for one in between:
            assert one.brought is not None
            one.brought.lots -= brought.lots
            one.brought.holds -= brought.holds
            one.brought.spend -= brought.spend
            for mine, theirs in ((one.brought.debt, brought.debt), (one.brought.lifetime, brought.lifetime)):
                for currency, much in theirs.items():
                    mine[currency] = max(0, mine.get(currency, 0) - much)
        if brought.froze:
            target.frozen = False
        source.into, source.brought = "", None
        source.advance(command.at)


def _move(
    source: Member,
    target: Member,
    tokens: list[Token],
    holds: dict[str, ModelHold],
    owed: tuple[dict[str, int], dict[str, int]],
) -> None:
    ids = {id(token) for token in tokens}
    source.tokens = [token for token in source.tokens if id(token) not in ids]
    target.tokens += tokens
    for id_, hold in holds.items():
        target.holds[id_] = source.holds.pop(id_)
        assert target.holds[id_] is hold
    debt, lifetime = dict(owed[0]), dict(owed[1])
    for mine, theirs, moved in ((source.debt, target.debt, debt), (source.lifetime, target.lifetime, lifetime)):
        for currency, much in moved.items():
            mine[currency] = mine.get(currency, 0) - much
            theirs[currency] = theirs.get(currency, 0) + much
