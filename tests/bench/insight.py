"""How long the purchase model takes: `python -m tests.bench.insight --members 100000`, on members made with a seed."""

import argparse
import sys
import time

from services.members.domain.insight.expecting import expected
from services.members.domain.insight.purchase_rows import rows_from
from services.members.domain.insight.purchasing import Purchasing, fit_purchasing
from tests.support.purchasing import simulated

MODEL = Purchasing(0.8, 5.0, 0.8, 2.5)


def main() -> None:
    """Make members, aggregate them, fit, and say what to expect of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=100_000)
    members = parser.parse_args().members
    x, recency, age = simulated(MODEL, members=members, seed=1, weeks=104)
    began = time.perf_counter()
    rows = rows_from(x, recency, age)
    aggregated = time.perf_counter()
    fit = fit_purchasing(rows)
    fitted = time.perf_counter()
    if fit is None:
        sys.exit("there is too little to learn from")
    expected(fit.model, rows, weeks=12)
    said = time.perf_counter()
    sys.stdout.write(
        f"{members:,} members, {len(rows.x):,} different rows; seconds: to aggregate {aggregated - began:.2f}, "
        f"to fit {fitted - aggregated:.2f}, to expect {said - fitted:.2f}\n{fit}\n"
    )


if __name__ == "__main__":
    main()
