"""A platform on paper: the part of the public API that an import uses, in memory, with the real one's promises.

It books by one rule: a point for each full 100 minor units, "silver" after 50,000, then a fifth more.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

Fault = Callable[[int, str], httpx.Response | Exception | None]
"""Asked with the number of the request (from 0), "before" and "after" it is done: what happens instead, if anything."""


@dataclass
class PaperJob:
    """An import of members; `latest` are the first, the rows and the answer of the latest call."""

    id: str
    duplicates: str
    done: int = 0
    closed: bool = False
    latest: tuple[int, str, dict[str, Any]] | None = None


@dataclass
class PaperPlatform:
    """Hand `transport` to an httpx client."""

    currency: str = "CNY"
    chain: str = "chn_1"
    stores: dict[str, str] = field(default_factory=lambda: {"web": "sto_web"})  # code → id
    members: dict[str, str] = field(default_factory=dict)  # external id → member id
    jobs: dict[str, "PaperJob"] = field(default_factory=dict)  # imports by their command keys
    rows: list[dict[str, Any]] = field(default_factory=list)  # that enrolled somebody, as they came
    levels: dict[str, dict[str, Any]] = field(default_factory=dict)  # given by hand, by their command keys
    booked: dict[tuple[str, str], tuple[str, dict[str, Any]]] = field(default_factory=dict)  # content, answer
    order: list[dict[str, Any]] = field(default_factory=list)  # purchases as they were booked
    refunded: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)  # refunds as they were asked for
    opened: dict[str, dict[str, Any]] = field(default_factory=dict)  # balances by their key, with their member
    journal: list[tuple[str, str, str]] = field(default_factory=list)  # member, what, its number; as it was booked
    spend: dict[str, int] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)
    fault: Fault = lambda _number, _when: None

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    @property
    def points(self) -> int:
        return sum(answer["purchase"]["points"] for _, answer in self.booked.values())

    def enroll(self, external_id: str) -> str:
        return self.members.setdefault(external_id, f"mem_{len(self.members)}")

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        number = len(self.requests)
        self.requests.append(asked)
        if (instead := self._instead(number, "before")) is not None:
            return instead
        data = self._data(asked)
        return self._instead(number, "after") or httpx.Response(200, json={"data": data})

    def _instead(self, number: int, when: str) -> httpx.Response | None:
        if isinstance(instead := self.fault(number, when), Exception):
            raise instead
        return instead

    def _data(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: PLR0911 - a table of what is asked
        query, wish = asked["query"], asked["variables"].get("input", {})
        if "recordPurchases" in query:
            return {"recordPurchases": _results([self._record(*one) for one in enumerate(wish["purchases"])])}
        if "recordRefunds" in query:
            return {"recordRefunds": _results([self._refund(*one) for one in enumerate(wish["refunds"])])}
        if "openBalances" in query:
            return {"openBalances": _results([self._open(*one) for one in enumerate(wish["balances"])])}
        if "createImportJob" in query:
            job = self.jobs.setdefault(wish["key"], PaperJob(f"imp_{len(self.jobs)}", wish["duplicates"]))
            return {"createImportJob": {"userErrors": [], "job": {"id": job.id}}}
        if "importRows" in query:
            return {"importRows": self._import(self._job(wish), wish)}
        if "closeImportJob" in query:
            self._job(wish).closed = True
            return {"closeImportJob": {"userErrors": [], "job": {"id": wish["jobId"]}}}
        if "grantLevel" in query:
            inputs = asked["variables"]
            return {f"l{number}": self._grant(inputs[f"input{number}"]) for number in range(len(inputs))}
        if "saveStores" in query:
            self.stores |= {store["code"]: f"sto_{store['code']}" for store in wish["stores"]}
            return {"saveStores": {"userErrors": [], "stores": self._stores()}}
        return {"chain": {"id": self.chain, "name": "Paper"}, "stores": self._stores()}

    def _stores(self) -> list[dict[str, str]]:
        return [{"id": id_, "code": code, "currency": self.currency} for code, id_ in self.stores.items()]

    def _job(self, wish: dict[str, Any]) -> "PaperJob":
        return next(job for job in self.jobs.values() if job.id == wish["jobId"])

    def _import(self, job: "PaperJob", wish: dict[str, Any]) -> dict[str, Any]:
        said = json.dumps(wish["rows"], sort_keys=True)
        if job.latest and wish["first"] == job.latest[0]:
            assert job.latest[1] == said
            return job.latest[2]
        assert (job.closed, wish["first"]) == (False, job.done)
        told = [self._take(row, job.duplicates) for row in wish["rows"]]
        answer = {
            "userErrors": [],
            "refusedRows": [one for one in told if "code" in one],
            "members": [one for one in told if "code" not in one],
        }
        job.latest = wish["first"], said, answer
        job.done += len(wish["rows"])
        return answer

    def _take(self, row: dict[str, Any], duplicates: str) -> dict[str, Any]:
        """Take a row by the policy `skip`, or by `update` as far as who it is goes."""
        identities = [one["value"] for one in row["profile"]["identities"]]
        if "unreadableField" in row:
            return {"row": row["row"], "code": "UNREADABLE", "atField": row["unreadableField"]}
        for place, value in enumerate(identities):
            at = {"row": row["row"], "atField": f"profile.identities.{place}"}
            if value in self.members:
                if duplicates == "UPDATE":
                    self.members |= dict.fromkeys(identities, self.members[value])
                elif place:
                    return at | {"code": "IDENTITY_TAKEN"}
                outcome = "UPDATED" if duplicates == "UPDATE" else "SKIPPED"
                return {"row": row["row"], "memberId": self.members[value], "outcome": outcome}
            if value == "unwelcome":
                return at | {"code": "INVALID_IDENTITY"}
        member = f"mem_{len(self.members)}"
        self.members |= dict.fromkeys(identities, member)
        self.rows.append(row)
        return {"row": row["row"], "memberId": member, "outcome": "ENROLLED"}

    def _grant(self, wish: dict[str, Any]) -> dict[str, Any]:
        if wish["level"] == "diamond":
            error = {"code": "LEVEL_NOT_FOUND", "field": "level", "message": "There is no level diamond."}
            return {"userErrors": [error], "repeatedCall": False}
        repeated = wish["key"] in self.levels
        assert self.levels.setdefault(wish["key"], wish) == wish
        return {"userErrors": [], "repeatedCall": repeated}

    def _record(self, number: int, wish: dict[str, Any]) -> dict[str, Any]:
        member = wish.get("memberId") or self.members.get(wish["identity"]["value"])
        if member is None:
            return _refusal("MEMBER_NOT_FOUND", f"purchases.{number}.identity", "No member has this external.")
        paid = sum(line["grossMinor"] - line["discountMinor"] for line in wish["lines"])
        if paid < 0:
            return _refusal("INVALID_PURCHASE", f"purchases.{number}.lines.0.grossMinor", "It is less than 0.")
        key, content = (wish["storeId"], wish["receiptNumber"]), json.dumps([member, wish["occurredAt"], wish["lines"]])
        if key in self.booked:
            first, answer = self.booked[key]
            if first != content:
                return _refusal("RECEIPT_REUSED", f"purchases.{number}.receiptNumber", "Other content.")
            return {**answer, "repeatedCall": True}
        before = self.spend.get(member, 0)
        self.spend[member] = before + paid
        level, after = _level(before), _level(before + paid)
        points = paid * 120 // 10_000 if level == "silver" else paid // 100
        booked = {"points": points, "levelBefore": level, "levelAfter": after}
        self.booked[key] = (content, {"userErrors": [], "repeatedCall": False, "purchase": booked})
        self.order.append(wish | {"member": member})
        self.journal.append((member, "purchase", wish["receiptNumber"]))
        return self.booked[key][1]

    def _refund(self, number: int, wish: dict[str, Any]) -> dict[str, Any]:
        key, receipt = (wish["storeId"], wish["refundNumber"]), (wish["receiptStoreId"], wish["receiptNumber"])
        if key in self.refunded:
            if self.refunded[key] != wish:
                return _refusal("REFUND_REUSED", f"refunds.{number}.refundNumber", "Other content.")
            return {"userErrors": [], "repeatedCall": True, "refund": _refund("BOOKED", wish)}
        bought = next((one for one in self.order if (one["storeId"], one["receiptNumber"]) == receipt), None)
        if bought is None:
            return {"userErrors": [], "repeatedCall": False, "refund": _refund("WAITING", wish)}
        left = self._left(receipt, bought["lines"])
        for line in wish["lines"]:
            pieces, paid = left[line["line"] - 1]
            if line["quantity"] > pieces or line["amountMinor"] > paid:
                return _refusal("REFUND_EXCEEDS", f"refunds.{number}.lines", f"{pieces} pieces, {paid} left.")
        self.refunded[key] = wish
        self.journal.append((bought["member"], "refund", wish["refundNumber"]))
        return {"userErrors": [], "repeatedCall": False, "refund": _refund("BOOKED", wish)}

    def _left(self, receipt: tuple[str, str], lines: list[dict[str, Any]]) -> list[tuple[int, int]]:
        """Pieces and money that the lines of a receipt still have."""
        left = [(line["quantity"], line["grossMinor"] - line["discountMinor"]) for line in lines]
        for wish in self.refunded.values():
            if (wish["receiptStoreId"], wish["receiptNumber"]) == receipt:
                for line in wish["lines"]:
                    pieces, paid = left[line["line"] - 1]
                    left[line["line"] - 1] = (pieces - line["quantity"], paid - line["amountMinor"])
                left = left if wish["lines"] else [(0, 0) for _ in left]
        return left

    def _open(self, number: int, wish: dict[str, Any]) -> dict[str, Any]:
        member = wish.get("memberId") or self.members.get(wish["identity"]["value"])
        if member is None:
            return _refusal("MEMBER_NOT_FOUND", f"balances.{number}.identity", "No member has this external.")
        opened = {**wish, "member": member} | {"memberId": None, "identity": None}
        if wish["key"] in self.opened:
            if self.opened[wish["key"]] != opened:
                return _refusal("KEY_REUSED", f"balances.{number}.key", "Other content.")
            return {"userErrors": [], "repeatedCall": True}
        self.opened[wish["key"]] = opened
        self.journal.append((member, "opening", wish["key"]))
        return {"userErrors": [], "repeatedCall": False}


def problem(code: str, *, status: int = 200, **told: object) -> httpx.Response:
    """An answer of the gateway that says what is wrong."""
    told = {"code": code, "traceId": "abc", **told}
    return httpx.Response(status, json={"errors": [{"message": f"It is {code}.", "extensions": told}]})


def _refund(state: str, wish: dict[str, Any]) -> dict[str, Any]:
    """One point is taken back for each full 100 minor units."""
    taken = sum(line["amountMinor"] for line in wish["lines"]) // 100
    parts = [{"currency": "POINTS", "taken": taken, "debt": 0}, {"currency": "STAMPS", "taken": 7, "debt": 0}]
    return {"state": state, "why": None, "taken": parts}


def _level(spend: int) -> str:
    return "silver" if spend >= 50_000 else "regular"


def _results(results: list[dict[str, Any]]) -> dict[str, Any]:
    return {"userErrors": [], "results": results}


def _refusal(code: str, path: str, message: str) -> dict[str, Any]:
    told = {"code": code, "field": path, "message": message}
    return {"userErrors": [told], "repeatedCall": False, "member": None, "purchase": None, "refund": None}
