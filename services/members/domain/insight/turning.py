"""The turning point: after which visit the gaps of a group stop shrinking and begin to grow.

The mean gaps are fitted by the valley (falling, then rising) with the least weighted squared error, each mean by the
inverse of its variance: two isotonic regressions, whose errors for all prefixes come from one pass each (Q. F. Stout,
"Unimodal regression via prefix isotonic regression", Computational Statistics & Data Analysis 53 (2008), 289-297).

Whether there is a valley at all is tested against "never grows" and against "never shrinks": by how much the error
falls when the other half is allowed too (T. Robertson, F. T. Wright, R. L. Dykstra, "Order Restricted Statistical
Inference", 1988), with its distribution by parametric bootstrap from the monotone fit. Both must be rejected (an
intersection-union test: R. L. Berger, Technometrics 24 (1982), 295-300), so the larger p-value counts. The interval is
the percentile interval of the valley's bottom over means drawn anew from the histograms' own (B. Efron, R. J.
Tibshirani, "An Introduction to the Bootstrap", 1993, ch. 13); means of 30 gaps and more are taken as normal.

Two things it does not see: several gaps of one member count as if they were of several members, and later gaps are only
of those who came so often, who had shorter ones all along. Where that matters, compare members with as many visits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.members.domain.insight.gaps import MOST_NUMBER, Gaps

Floats = npt.NDArray[np.float64]

LEAST_NUMBERS = 3
LEAST_GAPS = 30
LEAST_VARIANCE = 1 / 12
"""Of a gap that is told in whole days (uniform within the day)."""

ROUNDS = 999
LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Turning:
    """`number`: after this visit gaps are shortest; None where no valley is significant. `low` to `high` is where it
    lies with 95 %. `p_value` None: fewer than three n with enough gaps. `numbers` n were looked at, from 1 on."""

    number: int | None
    low: int | None
    high: int | None
    p_value: float | None
    numbers: int


@dataclass(frozen=True, slots=True)
class _Means:
    means: Floats
    weights: Floats


def turning_point(gaps: Gaps, *, seed: int, least: int = LEAST_GAPS, rounds: int = ROUNDS) -> Turning:
    """Return the turning point of a group's gaps; the same seed gives the same answer."""
    known = _means(gaps.bins, least)
    count = len(known.means)
    if count < LEAST_NUMBERS:
        return Turning(None, None, None, None, count)
    random = np.random.default_rng(seed)
    p_value = max(_p_value(known, random, rounds, sign=1.0), _p_value(known, random, rounds, sign=-1.0))
    if p_value > LEVEL:
        return Turning(None, None, None, p_value, count)
    drawn = sorted(_bottom(draw, known.weights) for draw in _draws(known.means, known.weights, random, rounds))
    low, high = (drawn[round(share * (rounds - 1))] for share in (LEVEL / 2, 1 - LEVEL / 2))
    number = _bottom(known.means, known.weights)
    return Turning(number, min(low, number), max(high, number), p_value, count)


def _means(bins: Mapping[int, Mapping[int, int]], least: int) -> _Means:
    """Return means and inverse variances of n = 1, 2, … as far as each has enough gaps; the last n is a pool."""
    means, weights = [], []
    for number in range(1, MOST_NUMBER):
        histogram = bins.get(number, {})
        count = sum(histogram.values())
        if count < max(least, 2):
            break
        mean = sum(days * times for days, times in histogram.items()) / count
        variance = sum(times * (days - mean) ** 2 for days, times in histogram.items()) / (count - 1)
        means.append(mean)
        weights.append(count / max(variance, LEAST_VARIANCE))
    return _Means(np.array(means), np.array(weights))


def _draws(means: Floats, weights: Floats, random: np.random.Generator, rounds: int) -> Floats:
    drawn: Floats = means + random.standard_normal((rounds, len(means))) / np.sqrt(weights)
    return drawn


def _p_value(known: _Means, random: np.random.Generator, rounds: int, *, sign: float) -> float:
    """Return how often means that only fall (`sign` 1) or only rise (-1) look as much like a valley as these."""
    fit = sign * _falling(sign * known.means, known.weights)
    seen = _gain(known.means, known.weights, sign)
    as_much = sum(_gain(draw, known.weights, sign) >= seen for draw in _draws(fit, known.weights, random, rounds))
    return float((1 + as_much) / (1 + rounds))


def _gain(means: Floats, weights: Floats, sign: float) -> float:
    """Return by how much the error of the monotone fit falls when a valley may be fitted instead."""
    falling, rising = _errors(means, weights)
    monotone = falling[-1] if sign > 0 else rising[0]
    return float(monotone - min(left + right for left, right in zip(falling, rising, strict=True)))


def _errors(means: Floats, weights: Floats) -> tuple[list[float], list[float]]:
    """Return for k = 0 to n the error of the first k as falling, and of the others as rising."""
    falling = _prefix_errors(means.tolist(), weights.tolist())
    rising = _prefix_errors(means[::-1].tolist(), weights[::-1].tolist())[::-1]
    return falling, rising


def _prefix_errors(means: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Return the errors of the best falling fits of the first 0, 1, … n values: pool adjacent violators, kept going."""
    blocks: list[tuple[float, float, float]] = []  # weight, mean, error
    errors = [0.0]
    for value, own_weight in zip(means, weights, strict=True):
        weight, mean, error = own_weight, value, 0.0
        while blocks and blocks[-1][1] <= mean:
            before = blocks.pop()
            both = before[0] + weight
            error += before[2] + before[0] * weight / both * (before[1] - mean) ** 2
            mean = (before[0] * before[1] + weight * mean) / both
            weight = both
        blocks.append((weight, mean, error))
        errors.append(sum(one[2] for one in blocks))
    return errors


def _falling(means: Floats, weights: Floats) -> Floats:
    """Return the best falling fit."""
    blocks: list[tuple[float, float, int]] = []  # weight, mean, how many
    for value, own_weight in zip(means.tolist(), weights.tolist(), strict=True):
        weight, mean, many = own_weight, value, 1
        while blocks and blocks[-1][1] <= mean:
            before = blocks.pop()
            mean = (before[0] * before[1] + weight * mean) / (before[0] + weight)
            weight, many = before[0] + weight, before[2] + many
        blocks.append((weight, mean, many))
    return np.repeat([one[1] for one in blocks], [one[2] for one in blocks])


def _bottom(means: Floats, weights: Floats) -> int:
    """Return the first n of the lowest stretch of the best valley."""
    falling, rising = _errors(means, weights)
    split = int(np.argmin(np.add(falling, rising)))
    fit = np.concatenate(
        [_falling(means[:split], weights[:split]), _falling(means[split:][::-1], weights[split:][::-1])[::-1]]
    )
    return int(np.argmin(fit)) + 1
