"""Any program that can be meant, for hypothesis."""

from datetime import date

from hypothesis import strategies as st

from services.points.domain.calendar import Span
from services.points.domain.expiries import Activity, Cycle, Expiry, MonthDay, Release, RoundsTo
from services.points.domain.expiries import Starts as LifeStarts
from services.points.domain.programs import Program, RefundBasis, TakeBack
from services.points.domain.purchases import Channel
from services.points.domain.referral_terms import Referral
from services.points.domain.rules import (
    Cap,
    CapUnit,
    CapWindow,
    Earning,
    Factor,
    Fixed,
    LineMatch,
    Per,
    PerPiece,
    PerVisit,
    Rate,
    Rounding,
    Rule,
    Slot,
    Stacking,
    Stage,
    Where,
)
from services.points.domain.tiers import (
    Benefit,
    BenefitKind,
    Crossing,
    Falls,
    Lasts,
    LastsKind,
    Level,
    Metric,
    Need,
    Starts,
    Tiers,
    Window,
    WindowKind,
)

AMOUNTS = st.integers(0, 10**12)
POSITIVE = st.integers(1, 10**9)
CODES = st.text("abc_:-é中", min_size=1, max_size=6)
SETS = st.frozensets(CODES, max_size=3)
SPANS = st.builds(Span, st.integers(0, 40), st.integers(0, 60))
DAYS = st.none() | st.dates(date(2020, 1, 1), date(2030, 1, 1))
LINES = st.builds(LineMatch, SETS, SETS, SETS, SETS, st.integers(0, 30))
SLOTS = st.builds(Slot, st.frozensets(st.integers(1, 7)), st.integers(0, 1439), st.integers(0, 1440))
CHANNELS = st.frozensets(st.sampled_from([one for one in Channel if one is not Channel.UNKNOWN]))
WHERES = st.builds(
    Where,
    CHANNELS,
    SETS,
    SETS,
    SETS,
    SETS,
    st.lists(SLOTS, max_size=2).map(tuple),
    DAYS,
    DAYS,
    AMOUNTS,
    st.sampled_from(["", "member.visits > 3"]),
)
CAPS = st.lists(st.builds(Cap, POSITIVE, st.sampled_from(CapWindow), st.sampled_from(CapUnit)), max_size=3).map(tuple)
EFFECTS = (
    st.builds(Rate, POSITIVE, POSITIVE, AMOUNTS)
    | st.builds(PerVisit, POSITIVE)
    | st.builds(PerPiece, POSITIVE)
    | st.builds(Factor, st.integers(1_000, 100_000))
    | st.builds(Fixed, POSITIVE, st.booleans())
)
RULES = st.builds(Rule, CODES, EFFECTS, LINES, WHERES, CAPS, st.sampled_from(["points", "stamps"]))
EARNINGS = st.builds(
    Earning,
    st.lists(RULES, max_size=4, unique_by=lambda rule: rule.code).map(tuple),
    st.sampled_from(Rounding),
    st.sampled_from(Stage),
    st.sampled_from(Per),
    st.sampled_from(Stacking),
    LINES,
    SETS,
    AMOUNTS,
    st.booleans(),
    st.booleans(),
    CAPS,
)
NEEDS = st.lists(st.builds(Need, st.sampled_from(Metric), AMOUNTS), max_size=3).map(tuple)
LEVELS = st.builds(
    Level,
    CODES,
    NEEDS,
    st.integers(0, 3),
    st.none() | NEEDS,
    st.integers(1_000, 100_000),
    SPANS,
    st.lists(st.builds(Benefit, st.sampled_from(BenefitKind), CODES | st.just("")), max_size=2).map(tuple),
)
TIERS = st.builds(
    Tiers,
    st.lists(LEVELS, max_size=4, unique_by=lambda level: level.code).map(tuple),
    st.builds(Window, st.sampled_from(WindowKind), st.integers(0, 24)),
    st.builds(Lasts, st.sampled_from(LastsKind), st.integers(0, 60), st.integers(0, 90)),
    st.sampled_from(Starts),
    st.sampled_from(Falls),
    st.sampled_from(Crossing),
    st.booleans(),
)
MONTH_DAYS = st.builds(MonthDay, st.integers(1, 12), st.integers(1, 31))
EXPIRIES = st.builds(
    Expiry,
    SPANS,
    st.sampled_from(LifeStarts),
    st.sampled_from(RoundsTo),
    st.lists(st.builds(Cycle, MONTH_DAYS, MONTH_DAYS), max_size=2).map(tuple),
    SPANS,
    st.frozensets(st.sampled_from(Activity), min_size=1),
)
PROGRAMS = st.builds(
    Program,
    version=st.just(0),
    earning=EARNINGS,
    tiers=TIERS,
    expiry=EXPIRIES,
    release=st.builds(Release, st.integers(0, 365), st.booleans()),
    remind_days=st.integers(0, 90),
    take_back=st.sampled_from(TakeBack),
    refund_basis=st.sampled_from(RefundBasis),
    adjustment_limit=AMOUNTS,
    referral=st.builds(Referral, st.integers(0, 500), st.integers(0, 500), st.integers(0, 20)),
)
