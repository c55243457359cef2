"""Who takes care of a member, by what rules."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.members.domain.account_managers import (
    Care,
    InvalidRuleError,
    ManagerRule,
    Pool,
    Subject,
    check_rules,
    dealt,
    effective,
    pool_for,
    within,
)

VIP = ManagerRule("vip", tags=frozenset({"vip"}), pool=("stf_a", "stf_b"))
HOME = ManagerRule("home", of_store=True)
REST = ManagerRule("rest", pool=("stf_c",))
GUEST = Subject("mem_1", frozenset({"vip", "old"}), "sto_1", frozenset({"pudong", "shanghai"}))
ACTIVE = frozenset({"stf_a", "stf_b", "stf_c", "stf_s"})
OF_STORES: dict[str, tuple[str, ...]] = {"sto_1": ("stf_s",)}


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        (REST, True),
        (VIP, True),
        (replace(VIP, tags=frozenset({"new"})), False),
        (replace(VIP, tags=frozenset({"new", "old"})), True),
        (replace(VIP, regions=frozenset({"shanghai"})), True),
        (replace(VIP, regions=frozenset({"beijing"})), False),
        (replace(VIP, stores=frozenset({"sto_1", "sto_2"})), True),
        (replace(VIP, stores=frozenset({"sto_2"})), False),
        (HOME, True),
    ],
)
def test_a_rule_asks_for_one_of_each_kind(rule: ManagerRule, *, fits: bool) -> None:
    assert rule.fits(GUEST) is fits


def test_the_staff_of_a_store_is_for_those_who_were_enrolled_in_one() -> None:
    assert not HOME.fits(replace(GUEST, store=""))


def test_the_first_rule_with_somebody_active_decides() -> None:
    rules = (VIP, HOME, REST)

    def found(*, active: frozenset[str] = ACTIVE, of_stores: dict[str, tuple[str, ...]] = OF_STORES) -> Pool | None:
        return pool_for(GUEST, rules, active=active, of_stores=of_stores)

    assert found() == Pool("vip", ("stf_a", "stf_b"))
    assert found(active=ACTIVE - {"stf_a"}) == Pool("vip", ("stf_b",))
    assert found(active=ACTIVE - {"stf_a", "stf_b"}) == Pool("home\0sto_1", ("stf_s",))
    assert found(active=frozenset({"stf_c"}), of_stores={}) == Pool("rest", ("stf_c",))
    assert found(active=frozenset()) is None


@given(st.integers(1, 10), st.integers(0, 50), st.integers(0, 1_000), st.integers(0, 50))
def test_turns_are_fair_however_they_are_cut(people: int, first: int, turn: int, second: int) -> None:
    pool = Pool("rest", tuple(f"stf_{number}" for number in range(people)))
    chosen = list(dealt({f"mem_{number}": pool for number in range(first)}, {"rest": turn}).values())
    chosen += dealt({f"mem_{number}": pool for number in range(second)}, {"rest": turn + first}).values()
    counts = Counter(dict.fromkeys(pool.staff, 0))
    counts.update(chosen)
    assert max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (replace(REST, code=""), "rules.1.code"),
        (VIP, "rules.1.code"),
        (replace(REST, pool=()), "rules.1.pool"),
        (replace(REST, of_store=True), "rules.1.pool"),
        (replace(REST, pool=("stf_a", "stf_a")), "rules.1.pool"),
        (replace(REST, pool=tuple(str(number) for number in range(201))), "rules.1.pool"),
        (replace(REST, tags=frozenset(str(number) for number in range(501))), "rules.1.tags"),
        (replace(REST, stores=frozenset(str(number) for number in range(501))), "rules.1.storeIds"),
    ],
)
def test_rules_that_cannot_be_are_refused(rule: ManagerRule, field: str) -> None:
    with pytest.raises(InvalidRuleError) as refused:
        check_rules([VIP, rule])
    assert refused.value.field == field


def test_a_chain_has_a_hundred_rules() -> None:
    hundred = [replace(REST, code=str(number)) for number in range(100)]
    check_rules(hundred)
    with pytest.raises(InvalidRuleError):
        check_rules([*hundred, VIP])


def test_of_one_person_its_own_id_says_first() -> None:
    own, other = Care("mem_1", manager="stf_a", version=2), Care("mem_2", "stf_b", favourite_store="sto_2", version=7)
    both = effective(("mem_1", "mem_2"), {"mem_1": own, "mem_2": other})
    assert (both.manager, both.favourite_store, both.version) == ("stf_a", "sto_2", 2)
    assert effective(("mem_1", "mem_2"), {"mem_2": other}).manager == "stf_b"
    nowhere = effective(("mem_1", "mem_2"), {"mem_1": replace(own, favourite_store=""), "mem_2": other})
    assert nowhere.favourite_store == ""
    assert effective(("mem_3",), {}) == Care("mem_3")


def test_a_region_lies_in_all_above_it_once() -> None:
    parents = {"pudong": "shanghai", "shanghai": "china", "a": "b", "b": "a"}
    assert within("pudong", lambda code: parents.get(code, "")) == {"pudong", "shanghai", "china"}
    assert within("a", lambda code: parents.get(code, "")) == {"a", "b"}
    assert within("", lambda _code: "") == frozenset()
