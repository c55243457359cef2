"""What points does by the clock."""

from services.kit.jobs import Job
from services.points.usecases.merges import Merger
from services.points.usecases.payers import Mover
from services.points.usecases.program_reviews import Reviewer
from services.points.usecases.record_sales import SalesRoller
from services.points.usecases.referrals import Rewarder
from services.points.usecases.reports import DaySums
from services.points.usecases.seal_ledger import Sealing
from services.points.usecases.settle_due import Settling


def move_payers(mover: Mover) -> Job:
    """Return the job that moves what was booked on payers while members was away."""
    return Job(name="move-payers", every_s=10.0, run=mover.move)


def carry_out_merges(merger: Merger) -> Job:
    """Return the job that makes accounts one whose members are, or two again."""
    return Job(name="carry-out-merges", every_s=1.0, run=merger.carry_out)


def reward_referrals(rewarder: Rewarder) -> Job:
    """Return the job that rewards both sides of referrals that were completed."""
    return Job(name="reward-referrals", every_s=1.0, run=rewarder.carry_out)


def seal_days(sealing: Sealing) -> Job:
    """Return the job that seals the days that have ended."""
    return Job(name="seal-days", every_s=300.0, run=sealing.seal_all, within_s=3_600.0)


def settle_due(settling: Settling) -> Job:
    """Return the job that books what has fallen due by itself."""
    return Job(name="settle-due", every_s=60.0, run=settling.settle_all, within_s=3_600.0)


def add_sales(roller: SalesRoller) -> Job:
    """Return the job that adds what was sold to the sums that reports read."""
    return Job(name="add-sales", every_s=1.0, run=roller.add_all)


def sum_days(day_sums: DaySums) -> Job:
    """Return the job that keeps the sums of days that have ended."""
    return Job(name="sum-days", every_s=300.0, run=day_sums.keep_all, within_s=3_600.0)


def review_programs(reviewer: Reviewer) -> Job:
    """Return the job that lets accounts be looked at again by a version that moves what falls due by itself."""
    return Job(name="review-programs", every_s=10.0, run=reviewer.review_all, within_s=3_600.0)
