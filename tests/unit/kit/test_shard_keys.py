import re

import pytest

from services.kit.mongo.collections import Keyed
from services.kit.mongo.shard_keys import changes_key, fixed_fields, misses_in_document, misses_prefix, misses_whole

KEY = ("chain", "account")


@pytest.mark.parametrize(
    ("condition", "fixed"),
    [
        ({}, {}),
        ({"chain": "c"}, {"chain": "one"}),
        ({"chain": {"$eq": "c"}}, {"chain": "one"}),
        ({"chain": {"$in": ["c"]}}, {"chain": "one"}),
        ({"chain": {"$in": ["c", "d"]}}, {"chain": "some"}),
        ({"chain": {"city": "Shanghai"}}, {"chain": "one"}),
        ({"chain": {"$in": []}}, {}),
        ({"chain": {"$in": ["c", None]}}, {}),
        ({"chain": {"$in": [re.compile("c")]}}, {}),
        ({"chain": None}, {}),
        ({"chain": {"$eq": None}}, {}),
        ({"chain": {"$gt": "c"}}, {}),
        ({"chain": {"$ne": "c"}}, {}),
        ({"chain": {"$exists": True}}, {}),
        ({"chain": re.compile("c")}, {}),
        ({"$expr": {"$eq": ["$chain", "c"]}}, {}),
        ({"$nor": [{"chain": "c"}]}, {}),
        ({"$and": [{"chain": "c"}, {"account": {"$in": [1, 2]}}]}, {"chain": "one", "account": "some"}),
        ({"chain": {"$in": ["c", "d"]}, "$and": [{"chain": "c"}]}, {"chain": "one"}),
        ({"chain": "c", "$and": [{"chain": {"$in": ["c", "d"]}}]}, {"chain": "one"}),
        ({"$or": [{"chain": "c", "account": 1}, {"chain": "d"}]}, {"chain": "some"}),
        ({"$or": [{"chain": "c"}, {"account": 1}]}, {}),
        ({"$or": [{"chain": "c"}]}, {"chain": "some"}),
    ],
)
def test_which_fields_a_filter_fixes(condition: dict[str, object], fixed: dict[str, str]) -> None:
    assert fixed_fields(condition) == fixed


def test_many_documents_need_the_first_field_of_the_key() -> None:
    assert misses_prefix(KEY, {"chain": {"$in": ["c", "d"]}}) == ""
    assert misses_prefix(KEY, {"account": "a"}) == "filter fixes no prefix of (chain, account)"


def test_one_document_needs_the_whole_key_by_equality() -> None:
    assert misses_whole(KEY, {"chain": "c", "account": "a", "version": 3}) == ""
    assert misses_whole(KEY, {"chain": "c"}) == "filter does not fix account of (chain, account)"
    assert misses_whole(KEY, {"chain": "c", "account": {"$in": ["a", "b"]}}) == (
        "filter does not fix account of (chain, account)"
    )
    assert misses_whole(KEY, {}) == "filter does not fix chain, account of (chain, account)"


def test_a_document_to_insert_needs_every_field_of_the_key() -> None:
    assert misses_in_document(KEY, {"chain": "c", "account": "a"}) == ""
    assert misses_in_document(KEY, {"chain": "c", "account": None}) == "document lacks account of (chain, account)"


@pytest.mark.parametrize(
    ("update", "miss"),
    [
        ({"$set": {"points": 1}}, ""),
        ({"$setOnInsert": {"chain": "c", "account": "a"}}, ""),
        ({"chain": "c", "account": "a", "points": 1}, ""),
        ([{"$set": {"points": {"$add": ["$points", 1]}}}], ""),
        ({"$set": {"chain": "d"}}, "update changes chain of (chain, account)"),
        ({"$unset": {"account": ""}, "$inc": {"points": 1}}, "update changes account of (chain, account)"),
        ([{"$set": {"points": 1}}, {"$unset": "account"}], "update changes account of (chain, account)"),
        ([{"$unset": ["account", "chain"]}], "update changes account, chain of (chain, account)"),
        ({"chain": "c", "points": 1}, "document lacks account of (chain, account)"),
        (
            [{"$replaceWith": {"points": 1}}],
            "update rewrites whole documents, so its effect on the shard key cannot be seen",
        ),
    ],
)
def test_an_update_leaves_the_key_alone(update: object, miss: str) -> None:
    assert changes_key(KEY, update) == miss


def test_a_shard_key_consists_of_top_level_fields() -> None:
    with pytest.raises(ValueError, match="must consist of top-level fields"):
        Keyed("accounts", ("chain", "owner.id"))
