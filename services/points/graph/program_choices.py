"""What can be chosen in a program, named as in the proto."""

from enum import Enum

import strawberry


@strawberry.enum(description="How a fraction of a point becomes a whole one.")
class ProgramRounding(Enum):
    """How a fraction of a point becomes a whole one."""

    FLOOR = strawberry.enum_value("FLOOR", description="Down.")
    HALF_UP = strawberry.enum_value("HALF_UP", description="Half and more: up.")
    UP = strawberry.enum_value("UP", description="Up.")


@strawberry.enum(description="What is rounded before anything is multiplied; the result is rounded in any case.")
class ProgramStage(Enum):
    """What is rounded before anything is multiplied; the result is rounded in any case."""

    AMOUNT = strawberry.enum_value("AMOUNT", description="The amount, to whole steps of the rate.")
    BASE = strawberry.enum_value("BASE", description="The base points, before multipliers.")
    TOTAL = strawberry.enum_value("TOTAL", description="Nothing: only the result.")


@strawberry.enum(description="Over what is rounded.")
class ProgramPer(Enum):
    """Over what is rounded."""

    RECEIPT = strawberry.enum_value("RECEIPT", description="The whole receipt.")
    LINE = strawberry.enum_value("LINE", description="Each line by itself.")


@strawberry.enum(description="How factors meet on one line, the level's included: × 1.2 and × 2 make 2.2, 2.4 or 2.")
class ProgramStacking(Enum):
    """How factors meet on one line, the level's included: × 1.2 and × 2 make 2.2, 2.4 or 2."""

    ADD = strawberry.enum_value("ADD", description="What each adds is added up: 2.2.")
    MULTIPLY = strawberry.enum_value("MULTIPLY", description="They are multiplied: 2.4.")
    BEST = strawberry.enum_value("BEST", description="The largest counts: 2; of fixed bonuses too.")


@strawberry.enum(description="Within what a cap counts: days and months of the chain's calendar.")
class ProgramCapWindow(Enum):
    """Within what a cap counts: days and months of the chain's calendar."""

    PURCHASE = strawberry.enum_value("PURCHASE", description="One purchase.")
    DAY = strawberry.enum_value("DAY", description="A day.")
    MONTH = strawberry.enum_value("MONTH", description="A month.")
    EVER = strawberry.enum_value("EVER", description="All time.")


@strawberry.enum(description="What a cap counts.")
class ProgramCapUnit(Enum):
    """What a cap counts."""

    POINTS = strawberry.enum_value("POINTS", description="Points, or stamps.")
    TIMES = strawberry.enum_value("TIMES", description="Purchases.")


@strawberry.enum(description="What a level may ask for.")
class ProgramMetric(Enum):
    """What a level may ask for."""

    SPEND = strawberry.enum_value("SPEND", description="What was paid, in minor units.")
    POINTS = strawberry.enum_value("POINTS", description="Points earned, less what refunds took back.")
    VISITS = strawberry.enum_value("VISITS", description="Purchases.")
    BALANCE = strawberry.enum_value("BALANCE", description="Points available now, whatever the window.")


@strawberry.enum(description="What a level brings besides points.")
class ProgramBenefitKind(Enum):
    """What a level brings besides points."""

    COUPON_PACK = strawberry.enum_value("COUPON_PACK", description="A pack of coupons.")
    BIRTHDAY_PACK = strawberry.enum_value("BIRTHDAY_PACK", description="A pack for the birthday.")
    EARLY_TASTING = strawberry.enum_value("EARLY_TASTING", description="New items before others.")
    ACCOUNT_MANAGER = strawberry.enum_value("ACCOUNT_MANAGER", description="A person to talk to.")
    FREE_DELIVERY = strawberry.enum_value("FREE_DELIVERY", description="Delivery without a fee.")
    PRIORITY_BOOKING = strawberry.enum_value("PRIORITY_BOOKING", description="A table before others.")


@strawberry.enum(description="Over what the metrics of levels are counted.")
class ProgramWindowKind(Enum):
    """Over what the metrics of levels are counted."""

    LIFETIME = strawberry.enum_value("LIFETIME", description="Everything.")
    ROLLING = strawberry.enum_value("ROLLING", description="The last so many months.")
    CALENDAR = strawberry.enum_value("CALENDAR", description="Months, quarters, halves or years.")
    JOINING = strawberry.enum_value(
        "JOINING", description="Periods of so many months since the member joined; 0 months: everything since then."
    )


@strawberry.enum(description="How long a level lasts once it was reached.")
class ProgramLastsKind(Enum):
    """How long a level lasts once it was reached."""

    FOREVER = strawberry.enum_value("FOREVER", description="For ever.")
    WHILE_MET = strawberry.enum_value("WHILE_MET", description="As long as its needs are met, to the day.")
    PERIODS = strawberry.enum_value(
        "PERIODS", description="To the end of the period it was reached in, and so many more."
    )
    MONTHS = strawberry.enum_value("MONTHS", description="So many months from the day it was reached or renewed.")


@strawberry.enum(description="When a level that was reached begins.")
class ProgramLevelStarts(Enum):
    """When a level that was reached begins."""

    AT_ONCE = strawberry.enum_value("AT_ONCE", description="At once.")
    NEXT_PERIOD = strawberry.enum_value("NEXT_PERIOD", description="With the window's next period.")


@strawberry.enum(description="How far a member falls whose level is not renewed.")
class ProgramFalls(Enum):
    """How far a member falls whose level is not renewed."""

    ONE_LEVEL = strawberry.enum_value("ONE_LEVEL", description="One level.")
    TO_FIT = strawberry.enum_value("TO_FIT", description="To the highest that is met.")


@strawberry.enum(description="At which level's factor the purchase earns that reaches a level.")
class ProgramCrossing(Enum):
    """At which level's factor the purchase earns that reaches a level."""

    OLD = strawberry.enum_value("OLD", description="The one before.")
    NEW = strawberry.enum_value("NEW", description="The one that it reaches.")


@strawberry.enum(description="From when on the life of points is counted.")
class ProgramLifeStarts(Enum):
    """From when on the life of points is counted."""

    EARNED = strawberry.enum_value("EARNED", description="When they were earned.")
    ACTIVATED = strawberry.enum_value("ACTIVATED", description="When they became available.")


@strawberry.enum(description="To the end of what a life is stretched.")
class ProgramRoundsTo(Enum):
    """To the end of what a life is stretched."""

    DAY = strawberry.enum_value("DAY", description="The day.")
    MONTH = strawberry.enum_value("MONTH", description="The month.")
    YEAR = strawberry.enum_value("YEAR", description="The year.")


@strawberry.enum(description="What keeps points from lapsing for want of it.")
class ProgramActivity(Enum):
    """What keeps points from lapsing for want of it."""

    EARNING = strawberry.enum_value("EARNING", description="A purchase that gave points.")
    PURCHASE = strawberry.enum_value("PURCHASE", description="Any purchase.")
    REDEMPTION = strawberry.enum_value("REDEMPTION", description="Spending points.")


@strawberry.enum(description="How far a refund goes for points that its purchase's own lot no longer has.")
class ProgramTakeBack(Enum):
    """How far a refund goes for points that its purchase's own lot no longer has."""

    KEEP_AVAILABLE = strawberry.enum_value(
        "KEEP_AVAILABLE", description="Of its own lot too only what is pending still."
    )
    PENDING_ONLY = strawberry.enum_value(
        "PENDING_ONLY", description="What has become available of others is the member's."
    )
    WITHIN_BALANCE = strawberry.enum_value("WITHIN_BALANCE", description="What is there, never below zero.")
    DEBT = strawberry.enum_value("DEBT", description="The rest is owed, and paid off by what is earned next.")


@strawberry.enum(description="What a refund takes back.")
class ProgramRefundBasis(Enum):
    """What a refund takes back."""

    KEPT = strawberry.enum_value("KEPT", description="What was granted beyond what the kept part of the receipt earns.")
    RETURNED = strawberry.enum_value("RETURNED", description="What the returned part by itself would have earned.")
