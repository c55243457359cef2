"""Sums of sales, read from MongoDB: it adds up the documents of stores' days and months, never receipts."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pymongo
from pymongo.errors import PyMongoError

from services.kit.mongo.collections import Document
from services.kit.mongo.database import Database
from services.points.domain.expectations import Happened
from services.points.domain.sales import Sums, Turned
from services.points.domain.sales_reports import MOST_ROWS, Dimension, Question, ReportTooLargeError, Spans
from services.points.store.collections import ITEM_SALES, SALES, SALES_GENERATIONS
from services.points.store.documents.sales import CHANNEL_OF, CHANNELS, SHORT, cell_of, escaped, plain, sums_of
from services.points.store.sales import ALL, generations_of

QUERY_S = 20.0
"""For the sums of a report, or of one region of it: nobody waits longer, and the database has others to serve."""

GROUPED: Mapping[Dimension, Any] = {
    Dimension.STORE: "$store",
    Dimension.DAY: "$span",
    Dimension.MONTH: {"$substrBytes": ["$span", 0, len("2026-03")]},
    Dimension.CHANNEL: {"$substrBytes": ["$part.k", 3, 1]},
    Dimension.HOUR: {"$substrBytes": ["$part.k", 1, 2]},
    Dimension.WEEKDAY: {"$substrBytes": ["$part.k", 0, 1]},
    Dimension.CATEGORY: {"$arrayElemAt": [{"$split": ["$part.k", "/"]}, 0]},
    Dimension.ITEM: {"$arrayElemAt": [{"$split": ["$part.k", "/"]}, 1]},
}
ITEM_WEEKDAY = {"$toString": {"$subtract": [{"$isoDayOfWeek": {"$dateFromString": {"dateString": "$span"}}}, 1]}}
"""Sums of items do not name it, and are read by day when it is asked for."""


class MongoSalesSums:
    """Sums of one service's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def generation(self, chain: str) -> int:
        """Return which counting of the chain's sales reports read."""
        found = await self._database.collection(SALES_GENERATIONS).find_one({"chain": chain})
        return generations_of(found)[0].number

    async def sums(
        self, chain: str, generation: int, *, stores: Sequence[str], wanted: Spans, question: Question
    ) -> Mapping[tuple[str, ...], Sums]:
        """Return the sums over `stores` by the question's dimensions, in their order, without its region."""
        by = [dimension for dimension in question.by if dimension is not Dimension.REGION]
        grouped = dict(GROUPED)
        if question.of_items:
            grouped[Dimension.WEEKDAY] = ITEM_WEEKDAY
        pipeline: list[Document] = [
            {
                "$match": {
                    "chain": chain,
                    "store": {"$in": list(stores)},
                    "generation": generation,
                    "span": {"$in": [*wanted.months, *wanted.days]},
                }
            },
            *_parts(question),
            {
                "$group": {
                    "_id": {dimension.value: grouped[dimension] for dimension in by},
                    **{short: {"$sum": f"$part.v.{short}"} for short in SHORT.values()},
                }
            },
            {"$limit": MOST_ROWS + 1},
        ]
        try:
            with pymongo.timeout(QUERY_S):
                found = await self._database.aggregate(ITEM_SALES if question.of_items else SALES, pipeline)
        except PyMongoError as error:
            if not error.timeout:
                raise
            why = f"adding it up takes more than {QUERY_S:g} s: choose fewer stores or days"
            raise ReportTooLargeError(field="from", why=why) from error
        return {tuple(_text(dimension, one["_id"][dimension.value]) for dimension in by): sums_of(one) for one in found}

    async def turned(
        self, chain: str, generation: int, *, stores: Sequence[str], months: Sequence[str]
    ) -> Mapping[str, Turned]:
        """Return how many members bought in each of the months, and how many of them again."""
        pipeline: list[Document] = [
            {
                "$match": {
                    "chain": chain,
                    "store": {"$in": list(stores)},
                    "generation": generation,
                    "span": {"$in": list(months)},
                }
            },
            {"$group": {"_id": "$span", "guests": {"$sum": "$guests"}, "repeaters": {"$sum": "$repeaters"}}},
        ]
        found = await self._database.aggregate(SALES, pipeline)
        return {one["_id"]: Turned(one["guests"], one["repeaters"]) for one in found}

    async def hours(
        self, chain: str, generation: int, *, store: str, since: date, until: date
    ) -> Mapping[tuple[date, int], Happened]:
        """Return what happened in each hour of a store's days, both included; hours of nothing are left out."""
        days = [(since + timedelta(days=number)).isoformat() for number in range((until - since).days + 1)]
        which = {"chain": chain, "store": store, "generation": generation, "span": {"$in": days}}
        found = self._database.collection(SALES).find(which, {"_id": False, "span": True, "cells": True})
        happened: dict[tuple[date, int], Happened] = {}
        for document in await found.to_list(len(days)):
            day = date.fromisoformat(document["span"])
            for name, kept in document["cells"].items():
                key, sums = (day, cell_of(name).hour), sums_of(kept)
                before = happened.get(key, Happened(0, 0))
                happened[key] = Happened(before.covers + sums.covers, before.items + sums.items)
        return happened


def _parts(question: Question) -> list[Document]:
    """Return the stages that leave one `part` {k, v} for each sum that counts."""
    if not question.of_items and not question.of_cells:
        return [{"$project": {"store": True, "span": True, "part.v": f"${ALL}"}}]
    field = "items" if question.of_items else "cells"
    stages: list[Document] = [
        {"$project": {"store": True, "span": True, "part": {"$objectToArray": f"${field}"}}},
        {"$unwind": "$part"},
    ]
    conditions: list[Document] = []
    if question.channels:
        letters = "".join(sorted(CHANNELS[channel] for channel in question.channels))
        conditions.append({"part.k": {"$regex": f"[{letters}]$"}})
    if question.items:
        conditions.append(_among(Dimension.ITEM, question.items))
    if question.categories:
        conditions.append(_among(Dimension.CATEGORY, question.categories))
    if conditions:
        stages.append({"$match": {"$and": conditions}})
    return stages


def _among(dimension: Dimension, named: frozenset[str]) -> Document:
    # Literally: a code that begins with a dollar is escaped in the field's name, and would be a path here.
    return {"$expr": {"$in": [GROUPED[dimension], [{"$literal": escaped(text)} for text in sorted(named)]]}}


def _text(dimension: Dimension, value: str) -> str:
    if dimension is Dimension.CHANNEL:
        return CHANNEL_OF[value]
    return plain(value) if dimension in (Dimension.ITEM, Dimension.CATEGORY) else value
