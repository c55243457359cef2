from pathlib import Path
from typing import Any

import pytest

from services.kit.rabbit.topology import Topology, TopologyError, UnknownStreamError

FILE = Path(__file__).parents[4] / "infra" / "broker" / "topology.toml"
LAYOUT: dict[str, Any] = {
    "partitions": 2,
    "delivery_limit": 5,
    "max_length": 10,
    "services": ["points", "members"],
    "streams": {"points.account": ["members"], "members.member": []},
}


def test_the_repositorys_own_file() -> None:
    topology = Topology.load(FILE, namespace="t_")

    assert topology.streams == {
        "points.account": frozenset({"members", "points", "campaigns", "feedback"}),
        "members.member": frozenset({"members", "points", "campaigns", "feedback"}),
        "members.store": frozenset({"points"}),
        "members.menu": frozenset({"points"}),
        "members.chain": frozenset(),
        "members.staff": frozenset(),
        "campaigns.coupon": frozenset({"members"}),
        "feedback.case": frozenset({"members"}),
    }
    assert topology.subscribers == ("campaigns", "feedback", "members", "points")
    assert topology.queues("members") == tuple(f"t_members.events.{number}" for number in range(4))
    assert (topology.events_exchange, topology.dead_letter_queue("members")) == (
        "t_huitou.events",
        "t_members.dead-letters",
    )


def test_a_stream_has_subscribers_or_none_or_is_unknown() -> None:
    topology = Topology.parse(LAYOUT, namespace="")

    assert topology.has_subscribers("points.account") is True
    assert topology.has_subscribers("members.member") is False
    with pytest.raises(UnknownStreamError, match=r"points\.other"):
        topology.has_subscribers("points.other")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"partitions": 0}, "`partitions` must be a whole number from 1, not 0"),
        ({"delivery_limit": "5"}, "`delivery_limit` must be"),
        ({"max_length": True}, "`max_length` must be"),
        ({"streams": {"orders.order": ["members"]}}, 'stream "orders.order" must be owner.noun'),
        ({"streams": {"points": ["members"]}}, 'stream "points" must be owner.noun'),
        ({"streams": {"points.account": ["member"]}}, r"names \['member'\], not in `services`"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_layout_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(TopologyError, match=words):
        Topology.parse(LAYOUT | change, namespace="")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(TopologyError, match=r"none\.toml"):
        Topology.load(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("partitions = ")
    with pytest.raises(TopologyError, match=r"bad\.toml"):
        Topology.load(tmp_path / "bad.toml")
