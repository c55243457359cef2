from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Kind
from services.points.domain.condition_words import InvalidConditionError
from services.points.domain.conditions import CACHE_SIZE, Facts, MemberFacts, PurchaseFacts, compile_condition

FACTS = Facts(
    PurchaseFacts(
        paid_minor=8_800,
        currency="CNY",
        store="sto_bund",
        region="east",
        channel="dine_in",
        payment_kind="wechat",
        partner="",
        party_size=4,
        items=("TEA-1", "NOODLE-7", "TEA-1"),
        categories=("drinks", "noodles"),
        quantity=5,
        coupons=(),
        hour=21,
        weekday=7,
        day="02-14",
        date="2027-02-14",
    ),
    MemberFacts(tier="gold", visits=12, spend_minor=120_000, points=300, days_since_last=9, days_since_joining=-1),
)

HOLD = [
    "purchase.paid_minor >= 8800",
    'purchase.currency == "CNY" && purchase.store == \'sto_bund\' && purchase.region != "west"',
    'purchase.channel in ["dine_in", "takeaway"]',
    'purchase.payment_kind.startsWith("we") && purchase.payment_kind.endsWith("chat")',
    'purchase.partner == "" || purchase.partner.contains("air")',
    "purchase.paid_minor / purchase.party_size > 2000",
    '"TEA-1" in purchase.items && !("TEA-2" in purchase.items)',
    'purchase.items.exists(item, item.startsWith("NOODLE-"))',
    'purchase.items.all(item, item.contains("-")) && purchase.items.exists_one(item, item == "NOODLE-7")',
    'size(purchase.items.filter(item, item == "TEA-1")) == 2 && purchase.categories.size() == 2',
    'purchase.items[0] == "TEA-1" && purchase.coupons == []',
    "purchase.quantity % 2 == 1 && purchase.hour >= 20 && purchase.hour < 24 && purchase.weekday in [6, 7]",
    'purchase.day == "02-14" && purchase.date < "2027-03-01"',
    'member.tier == "gold" ? member.visits > 10 : member.visits > 20',
    "member.spend_minor + purchase.paid_minor > 128000 && member.points - 1 == 299 && -member.visits < 0",
    "double(member.spend_minor) * 0.5 > 1.5 && string(member.visits) == '12' && int('7') == purchase.weekday",
    "member.days_since_last == 9 && member.days_since_joining < 0",
    "// a line\n  member.visits == 12 // and\n  && true",
    '"\\u0041" == "A" && "\\\\" == \'\\\\\' && "a\\"b" == \'a"b\'',
    "1 / 0 == 1 || true",
    " && ".join(["true"] * 250),
]

FAIL = [
    "false",
    "member.visits == 13",
    "member.visits / (member.visits - 12) >= 0",
    "member.visits * 9223372036854775807 > 0",
    'purchase.items[3] == "" || purchase.coupons[0] == ""',
    "int(member.tier) == int(member.tier)",
    '[1, "a"][1] > 0',
    "||".join(["purchase.items.exists(i, i == '')"] * 50),
]


@pytest.mark.parametrize("source", HOLD)
def test_conditions_that_hold(source: str) -> None:
    assert compile_condition(source).holds(FACTS)


@pytest.mark.parametrize("source", FAIL)
def test_conditions_that_do_not_hold_or_cannot_be_evaluated(source: str) -> None:
    assert not compile_condition(source).holds(FACTS)


def test_what_takes_too_many_steps_does_not_hold() -> None:
    long = replace(FACTS, purchase=replace(FACTS.purchase, items=("a",) * 500))
    condition = compile_condition(" && ".join(["purchase.items.all(i, i != '')"] * 50))
    assert condition.holds(FACTS)
    assert not condition.holds(long)


OF_PURCHASE = ", ".join(one.name for one in fields(PurchaseFacts))
OF_MEMBER = ", ".join(one.name for one in fields(MemberFacts))
WALK = "the brackets of all, exists, exists_one or filter; combine two of them with `&&` or `||`"
BOTH = "both sides must have one type: 5 is an int, 5.0 a double"
DEEP = "it is nested too deeply: at most 31 levels, and at most 31 of + - * / % in a row"

BAD = [
    ("", "line 1, column 1: it is empty; write what must hold, like `member.visits > 3`"),
    ("\n // nothing", "line 1, column 1: it is empty; write what must hold, like `member.visits > 3`"),
    ("x" * 2_001, "line 1, column 2001: it has 2001 characters, and at most 2000 are allowed"),
    (
        "member.visits > 1 && purchase.totl_minor > 3",
        f"line 1, column 22: there is no `purchase.totl_minor`; known are {OF_PURCHASE}",
    ),
    ("\n  member . name == ''", f"line 2, column 3: there is no `member.name`; known are {OF_MEMBER}"),
    ("member == 3", f"line 1, column 1: `member` needs a dot and one of {OF_MEMBER}"),
    (
        "'é😀' == member.tier || member.tier == gold",
        ('line 1, column 39: there is no `gold`; a text stands in quotes ("gold"), '
        "a fact begins with `purchase.` or `member.`"),
    ),
    (
        "i == '' || purchase.items.exists(i, true) && i == ''",
        'line 1, column 1: there is no `i`; a text stands in quotes ("i"), a fact begins with `purchase.` or `member.`',
    ),
    ("member.tier == 'a' and true", "line 1, column 20: `and` has no meaning here; write `&&`"),
    ("member.tier = 'gold'", "line 1, column 13: `=` has no meaning here; write `==`"),
    ("member.tier == “gold”", "line 1, column 16: `“` has no meaning here; put texts between straight quotes"),
    (
        "member.tier == 'gold",
        "line 1, column 16: `'` has no meaning here; the text that begins here has no closing quote",
    ),
    (
        '"""a" == ""',
        'line 1, column 1: `"` has no meaning here; the text that begins here has no closing quote',
    ),
    ('r"a" == ""', "line 1, column 1: `r` has no meaning here"),
    ("{} == {}", "line 1, column 1: `{` has no meaning here; lists are written in `[` and `]`"),
    ("purchase.`items` == []", "line 1, column 10: ``` has no meaning here"),
    (".purchase.items == []", "line 1, column 1: `.` has no meaning here"),
    ("member.tier == 'a\0'", "line 1, column 18: there is a character that nobody can read; delete it"),
    ("member.tier == '\ud800'", "line 1, column 17: there is a character that nobody can read; delete it"),
    (
        "timestamp('x') > timestamp('y')",
        "line 1, column 1: there is no function `timestamp` here; known are double, int, size, string",
    ),
    (
        "purchase.items.map(i, i) == []",
        ("line 1, column 16: there is no function `map` after a dot; "
        "known are all, contains, endsWith, exists, exists_one, filter, size, startsWith"),
    ),
    (
        "member.tier.matches('(a*)*b')",
        ("line 1, column 13: `matches` has no meaning here; "
        "a pattern's cost has no bound here; use startsWith, endsWith, contains or `in`"),
    ),
    (
        "purchase.items.exists(i, purchase.items.exists(j, i == j))",
        f"line 1, column 26: the list `purchase.items` cannot stand within {WALK}",
    ),
    (
        "purchase.items.exists(i, (i) in purchase.categories)",
        f"line 1, column 33: the list `purchase.categories` cannot stand within {WALK}",
    ),
    (
        "purchase.items.exists(i, ['a'].exists(j, i == j))",
        f"line 1, column 32: `exists` cannot stand within {WALK}",
    ),
    (
        "purchase.items.exists(purchase, true)",
        "line 1, column 23: `purchase` is taken; take another name",
    ),
    ("purchase.items.exists(1, true)", "line 1, column 23: exists() variable name must be a simple identifier"),
    ("member.tier.exists(i, true)", "line 1, column 7: this goes through a list, not through string"),
    ("member.tier.name == ''", "line 1, column 12: string has nothing that could be named after a dot"),
    ("member.tier.startsWith()", "line 1, column 23: `startsWith` is not used like this"),
    (
        "member.tier.startsWith(3)",
        ("line 1, column 23: `startsWith` cannot be applied to string and int; "
        'it takes one text, like `member.tier.startsWith("gold")`'),
    ),
    (
        "purchase.paid_minor > '5'",
        f'line 1, column 21: `>` cannot be applied to int and string; {BOTH}, "5" a string',
    ),
    (
        "true &&\npurchase.paid_minor > 5.0",
        f'line 2, column 21: `>` cannot be applied to int and double; {BOTH}, "5" a string',
    ),
    ("member.tier + 1 == ''", f"line 1, column 13: `+` cannot be applied to string and int; {BOTH}"),
    (
        "'😀' != '' || 1 in purchase.items",
        ("line 1, column 16: `in` cannot be applied to int and list(string); "
        'it takes one thing and a list of such, like `"A" in purchase.items`'),
    ),
    (
        "!member.visits",
        "line 1, column 1: `!` cannot be applied to int; it takes conditions, which are true or false",
    ),
    (
        "true ? 1 : 'a'",
        ("line 1, column 6: `?:` cannot be applied to bool and int and string; "
        "it takes a condition and two things of one type"),
    ),
    (
        "purchase.items['a'] == ''",
        ("line 1, column 15: `[]` cannot be applied to list(string) and string; "
        "it takes a list and the number of an element, from 0"),
    ),
    ("member.visits >", "line 1, column 16: something is missing at the end"),
    ("(member.visits > 3", "line 1, column 19: `)` is missing"),
    ("member.visits >> 3", "line 1, column 16: `>` does not fit here"),
    ("member.tier == '\\q'", "line 1, column 16: this cannot be read; in a text, write `\\\\` for `\\`"),
    ("member.visits > 9223372036854775808", "line 1, column 17: invalid int literal"),
    ("if", ('line 1, column 1: there is no `if`; a text stands in quotes ("if"), '
     "a fact begins with `purchase.` or `member.`")),
    ("  member.visits", "line 1, column 3: it gives int, not true or false; compare it, like `member.visits > 3`"),
    ("[true, 1][0]", "line 1, column 1: it gives dyn, not true or false; compare it, like `member.visits > 3`"),
    ("(" * 40 + "true" + ")" * 40, f"line 1, column 1: {DEEP}"),
    ("+".join(["1"] * 33) + " > 0", f"line 1, column 1: {DEEP}"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "why"), BAD)
def test_what_is_wrong_is_said_with_its_place(source: str, why: str) -> None:
    with pytest.raises(InvalidConditionError) as refused:
        compile_condition(source)
    assert refused.value.message == f"The condition is not right: {why}."
    assert (refused.value.kind, refused.value.code) == (Kind.INVALID, "INVALID_CONDITION")
    assert refused.value.field == "condition"


HIDDEN = [
    "purchase.items.exists(r, r'\\' == '' || r in purchase.items || '' == '')",
    'r"""\\""" == "" || purchase.items.exists(i, i in purchase.items) || """" == ""',
    "r'''\\''' == '' || purchase.items.exists(i, i in purchase.items) || '''' == ''",
    "purchase.items.exists(i, // )\n i in purchase.items)",
    "purchase.items.exists(i, ')' == i || i in purchase.items)",
]


@pytest.mark.parametrize("source", HIDDEN)
def test_no_text_or_comment_hides_a_walk_within_a_walk(source: str) -> None:
    with pytest.raises(InvalidConditionError):
        compile_condition(source)


def test_equal_sources_are_compiled_once_and_not_remembered_for_ever() -> None:
    assert compile_condition("member.visits == 1") is compile_condition("member.visits == 1")
    assert compile_condition.cache_info().maxsize == CACHE_SIZE


@given(st.text(max_size=60))
def test_no_text_does_more_than_be_refused(source: str) -> None:
    try:
        condition = compile_condition(source)
    except InvalidConditionError:
        return
    assert condition.holds(FACTS) in {True, False}


WORDS = st.sampled_from(
    ["purchase.items", "purchase.", "member.visits", "member", ".exists(", ".filter(i,", "i", "size(", ")", "(", "[",
     "]", "&&", "||", "!", "?", ":", "==", "<", "in", "+", "-", "%", "'a'", '"', "'''", "r'\\'", "1", "2.5", "3u",
     "true",
     "r''", "null", ",", ".", "\n", "//", "{", "`", "é", "\\", "dyn(1)", "has(member.tier)"]
)  # fmt: skip


@given(st.lists(WORDS, max_size=30).map(" ".join))
def test_no_row_of_words_does_more_than_be_refused(source: str) -> None:
    try:
        condition = compile_condition(source)
    except InvalidConditionError:
        return
    assert condition.holds(FACTS) in {True, False}


NUMBERS = st.integers(-1, 2**63 - 1)
TEXTS = st.text(max_size=8)
LISTS = st.lists(TEXTS, max_size=20).map(tuple)
OF_TYPE: dict[object, st.SearchStrategy[object]] = {int: NUMBERS, str: TEXTS, tuple[str, ...]: LISTS}
FACTS_OF_ANY_KIND = st.builds(
    Facts,
    st.builds(PurchaseFacts, **{one.name: OF_TYPE[one.type] for one in fields(PurchaseFacts)}),
    st.builds(MemberFacts, **{one.name: OF_TYPE[one.type] for one in fields(MemberFacts)}),
)


def named(type_: object) -> st.SearchStrategy[str]:
    """Return the names of all facts of a type."""
    return st.sampled_from(
        [f"purchase.{one.name}" for one in fields(PurchaseFacts) if one.type == type_]
        + [f"member.{one.name}" for one in fields(MemberFacts) if one.type == type_]
    )


NUMBER = st.recursive(
    named(int) | st.integers(0, 2**63 - 1).map(str) | named(tuple[str, ...]).map("size({})".format),
    lambda part: st.builds("({} {} {})".format, part, st.sampled_from("+-*/%"), part),
    max_leaves=5,
)
TEXT = named(str) | st.text("abc-0é", max_size=4).map("'{}'".format)
TESTS = st.one_of(
    st.builds("{} {} {}".format, NUMBER, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), NUMBER),
    st.builds("{} {} {}".format, TEXT, st.sampled_from(["==", "!=", "<", "in ['a', '']  ||  '' =="]), TEXT),
    st.builds("{} in {}".format, TEXT, named(tuple[str, ...])),
    st.builds("{}[{}] == {}".format, named(tuple[str, ...]), st.integers(0, 3), TEXT),
    st.builds("{}.{}(i, i.contains({}))".format, named(tuple[str, ...]), st.sampled_from(["all", "exists"]), TEXT),
)
CONDITIONS = st.recursive(
    TESTS,
    lambda part: (
        st.builds("({}) {} !({})".format, part, st.sampled_from(["&&", "||"]), part)
        | st.builds("({} ? {} : {})".format, part, part, part)
    ),
    max_leaves=6,
)


@given(CONDITIONS, FACTS_OF_ANY_KIND)
def test_every_condition_is_true_or_false_of_every_fact(source: str, facts: Facts) -> None:
    condition = compile_condition(source)
    outcome = condition.holds(facts)
    assert isinstance(outcome, bool)
    if "/" not in source and "%" not in source and not set("+-*[") & set(source):
        assert compile_condition(f"!({source})").holds(facts) is not outcome
