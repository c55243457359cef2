import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from services.kit.errors import Kind, Problem
from services.kit.group_commit import FaultError, GroupCommit, OverloadedError, StoppingError


class OddError(Problem):
    """{number} is odd."""

    kind = Kind.INVALID
    code = "ODD"


class Doubling:
    """A commit that doubles even numbers, when it is let."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go_on = asyncio.Event()
        self.failure: BaseException | None = None

    async def __call__(self, numbers: Sequence[int]) -> list[int | Problem]:
        self.batches.append(list(numbers))
        await self.go_on.wait()
        if self.failure:
            raise self.failure
        return [OddError(number=number) if number % 2 else number * 2 for number in numbers]


Start = Callable[..., GroupCommit[int, int]]


@pytest.fixture
async def doubling() -> Doubling:
    return Doubling()


@pytest.fixture
async def group(doubling: Doubling) -> AsyncIterator[GroupCommit[int, int]]:
    group = GroupCommit(doubling, name="doubling", max_batch=3, max_waiting=6)
    await group.start()
    yield group
    doubling.go_on.set()
    await group.stop()


async def let_run() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def waiting(group: GroupCommit[int, int], *numbers: int) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(group.submit(number)) for number in numbers]
    await let_run()
    return tasks


async def test_what_arrives_while_one_commit_runs_goes_into_the_next(
    group: GroupCommit[int, int], doubling: Doubling
) -> None:
    first = await waiting(group, 2)
    others = await waiting(group, 4, 6, 8, 10)
    doubling.go_on.set()
    assert await asyncio.gather(*first, *others) == [4, 8, 12, 16, 20]
    assert doubling.batches == [[2], [4, 6, 8], [10]]


async def test_a_problem_is_its_own_commands_only(group: GroupCommit[int, int], doubling: Doubling) -> None:
    doubling.go_on.set()
    good, bad, other = await waiting(group, 2, 3, 4)
    assert (await good, await other) == (4, 8)
    with pytest.raises(OddError, match="3 is odd"):
        await bad


async def test_many_at_once_keep_their_order_and_return_problems(
    group: GroupCommit[int, int], doubling: Doubling
) -> None:
    doubling.go_on.set()
    outcomes = await group.submit_all([2, 3, 4, 5, 6])
    assert [str(each) if isinstance(each, Problem) else each for each in outcomes] == [
        4,
        "3 is odd.",
        8,
        "5 is odd.",
        12,
    ]
    assert await group.submit_all([]) == []


async def test_a_full_queue_refuses_at_once_and_takes_in_nothing(
    group: GroupCommit[int, int], doubling: Doubling
) -> None:
    tasks = await waiting(group, 2)
    tasks += await waiting(group, *[4] * 5)
    with pytest.raises(OverloadedError) as refused:
        await group.submit_all([6, 6])
    assert refused.value.kind is Kind.OVERLOADED
    assert refused.value.retry_after_ms == 83  # 5 waiting, 3 a batch, 50 ms each until one was measured
    tasks += await waiting(group, 8)
    doubling.go_on.set()
    assert await asyncio.gather(*tasks) == [4, *[8] * 5, 16]


async def test_more_at_once_than_ever_fits_is_a_mistake(group: GroupCommit[int, int]) -> None:
    with pytest.raises(ValueError, match="takes at most 6"):
        await group.submit_all([2] * 7)


async def test_a_caller_cancelled_while_waiting_takes_its_command_back(
    group: GroupCommit[int, int], doubling: Doubling
) -> None:
    [first] = await waiting(group, 2)
    gone, stays = await waiting(group, 4, 6)
    gone.cancel()
    await let_run()
    doubling.go_on.set()
    assert (await first, await stays) == (4, 12)
    assert gone.cancelled()
    assert doubling.batches == [[2], [6]]


async def test_a_caller_cancelled_while_waiting_takes_all_of_its_commands_back(
    group: GroupCommit[int, int], doubling: Doubling
) -> None:
    [first] = await waiting(group, 2)
    gone = asyncio.create_task(group.submit_all([4, 6]))
    [stays] = await waiting(group, 8)
    gone.cancel()
    await let_run()
    doubling.go_on.set()
    assert (await first, await stays) == (4, 16)
    assert doubling.batches == [[2], [8]]


async def test_a_caller_cancelled_during_the_commit_does_not_break_the_batch(
    group: GroupCommit[int, int], doubling: Doubling
) -> None:
    gone, stays = await waiting(group, 2, 4)
    gone.cancel()
    await let_run()
    doubling.go_on.set()
    assert await stays == 8
    assert doubling.batches == [[2, 4]]


async def test_a_commit_that_raises_fails_its_batch_and_the_next_goes_on(
    group: GroupCommit[int, int], doubling: Doubling, caplog: pytest.LogCaptureFixture
) -> None:
    doubling.failure = ZeroDivisionError("inner detail")
    first, second = await waiting(group, 2, 4)
    doubling.go_on.set()
    for task in (first, second):
        with pytest.raises(FaultError, match=r"^Something went wrong on our side\.$"):
            await task
    assert "doubling: a batch of 2 failed" in caplog.text
    doubling.failure = None
    assert await group.submit(6) == 12


async def test_a_commit_that_raises_a_problem_passes_it_on(group: GroupCommit[int, int], doubling: Doubling) -> None:
    doubling.failure = OddError(number="The batch")
    doubling.go_on.set()
    with pytest.raises(OddError, match="The batch is odd"):
        await group.submit(2)


async def test_a_commit_cancelled_from_within_fails_only_its_batch(
    group: GroupCommit[int, int], doubling: Doubling
) -> None:
    doubling.failure = asyncio.CancelledError()
    doubling.go_on.set()
    with pytest.raises(StoppingError):
        await group.submit(2)
    doubling.failure = None
    assert await group.submit(4) == 8


async def test_a_wrong_number_of_answers_is_a_fault(caplog: pytest.LogCaptureFixture) -> None:
    async def forgetful(numbers: Sequence[int]) -> list[int | Problem]:
        return [number * 2 for number in numbers[1:]]

    group: GroupCommit[int, int] = GroupCommit(forgetful, name="forgetful")
    await group.start()
    outcomes = await group.submit_all([2, 4])
    await group.stop()
    assert [type(each) for each in outcomes] == [FaultError, FaultError]
    assert "forgetful: 1 answers to 2 commands" in caplog.text


async def test_stop_carries_out_what_waits_and_refuses_what_is_new(
    group: GroupCommit[int, int], doubling: Doubling
) -> None:
    first = await waiting(group, 2)
    others = await waiting(group, 4, 6, 8, 10)
    stopping = asyncio.create_task(group.stop())
    await let_run()
    with pytest.raises(StoppingError):
        await group.submit(12)
    doubling.go_on.set()
    await stopping
    assert await asyncio.gather(*first, *others) == [4, 8, 12, 16, 20]


async def test_stop_is_bounded_and_leaves_nobody_waiting(group: GroupCommit[int, int]) -> None:
    [under_way] = await waiting(group, 2)
    [waits] = await waiting(group, 4)
    await group.stop(within_s=0.01)
    for task in (under_way, waits):
        with pytest.raises(StoppingError):
            await task


async def test_it_takes_nothing_before_it_is_started(doubling: Doubling) -> None:
    group: GroupCommit[int, int] = GroupCommit(doubling, name="doubling")
    with pytest.raises(StoppingError):
        await group.submit(2)
    await group.stop()


async def test_what_was_submitted_together_is_committed_together(
    group: GroupCommit[int, int], doubling: Doubling
) -> None:
    first = asyncio.create_task(group.submit_all([2]))
    await let_run()
    pairs = [asyncio.create_task(group.submit_all(pair)) for pair in ([4, 6], [8, 10])]
    await let_run()
    doubling.go_on.set()
    assert await asyncio.gather(first, *pairs) == [[4], [8, 12], [16, 20]]
    assert doubling.batches == [[2], [4, 6], [8, 10]]


async def test_a_submission_larger_than_a_batch_is_a_batch_of_its_own(
    group: GroupCommit[int, int], doubling: Doubling
) -> None:
    first = asyncio.create_task(group.submit_all([2]))
    await let_run()
    large, single = (asyncio.create_task(group.submit_all(some)) for some in ([4, 6, 8, 10], [12]))
    await let_run()
    doubling.go_on.set()
    await asyncio.gather(first, large, single)
    assert doubling.batches == [[2], [4, 6, 8, 10], [12]]


class Beside:
    """Commits that end one by one, when they are told to."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.ends: list[asyncio.Event] = []

    async def __call__(self, numbers: Sequence[int]) -> list[int | Problem]:
        self.batches.append(list(numbers))
        end = asyncio.Event()
        self.ends.append(end)
        await end.wait()
        return list(numbers)


@pytest.fixture
def beside() -> Beside:
    return Beside()


@pytest.fixture
async def pair(beside: Beside) -> AsyncIterator[GroupCommit[int, int]]:
    """Yield two commits at once, in which numbers with the same last digit change the same thing."""
    group = GroupCommit(
        beside, name="pair", max_batch=4, max_waiting=20, at_once=2, beside=3, key_of=lambda number: number % 10
    )
    await group.start()
    yield group
    for _ in range(10):
        for end in beside.ends:
            end.set()
        await let_run()
    await group.stop()


async def test_a_second_commit_begins_when_enough_waits(pair: GroupCommit[int, int], beside: Beside) -> None:
    tasks = await waiting(pair, 1)
    tasks += await waiting(pair, 2, 3)
    assert beside.batches == [[1]]
    tasks += await waiting(pair, 4)
    assert beside.batches == [[1], [2, 3, 4]]
    tasks += await waiting(pair, 5, 6, 7, 8)
    assert len(beside.batches) == 2
    beside.ends[1].set()
    await let_run()
    assert [await task for task in tasks[1:4]] == [2, 3, 4]
    assert beside.batches[2:] == [[5, 6, 7, 8]]


async def test_what_changes_the_same_thing_is_never_in_two_commits_at_once_and_keeps_its_order(
    pair: GroupCommit[int, int], beside: Beside
) -> None:
    tasks = await waiting(pair, 1)
    together = asyncio.create_task(pair.submit_all([11, 2, 21, 3]))
    await let_run()
    assert beside.batches == [[1], [2, 3]]
    for end in beside.ends:
        end.set()
    await let_run()
    assert (await tasks[0], beside.batches) == (1, [[1], [2, 3], [11, 21]])
    for end in beside.ends:
        end.set()
    assert await together == [11, 2, 21, 3]


async def test_who_would_be_refused_can_know_it_before(group: GroupCommit[int, int]) -> None:
    await waiting(group, 2)
    await waiting(group, 4, 6, 8, 10)
    group.check_room(2)
    with pytest.raises(OverloadedError):
        group.check_room(3)
