"""What a program gives when a member has brought another one: the terms."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Referral:
    """What both sides get on the first purchase of who was brought; 0: that side gets nothing."""

    referrer_points: int = 0
    referred_points: int = 0
    most_a_month: int = 0  # rewards of one referrer in a month of the chain's zone; 0: without a limit


NO_REFERRAL = Referral()
