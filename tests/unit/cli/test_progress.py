import io

from rich.console import Console

from infra.cli.importing.progress import BarProgress, PlainProgress, progress_on


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_log_gets_a_line_now_and_then() -> None:
    out, clock = io.StringIO(), Clock()
    progress = PlainProgress(out, now=clock)
    progress.start("purchases", total=4_000)
    for _ in range(28):
        clock.seconds += 0.25
        progress.advance(100)
    progress.note("the platform answers again")
    progress.advance(1_200)
    progress.finish()
    assert out.getvalue().splitlines() == [
        "purchases: 800 of 4,000 (20 %), 400/s, 8 s left",
        "purchases: 1,600 of 4,000 (40 %), 400/s, 6 s left",
        "purchases: 2,400 of 4,000 (60 %), 400/s, 4 s left",
        "the platform answers again",
        "purchases: 4,000 of 4,000 (100 %), 571/s",
    ]


def test_a_file_is_told_in_bytes() -> None:
    out, clock = io.StringIO(), Clock()
    progress = PlainProgress(out, now=clock)
    progress.start("reading sales.csv", total=3_000_000, unit="B")
    clock.seconds = 600
    progress.advance(1_000_000)
    progress.advance(2_000_000)
    progress.finish()
    assert out.getvalue().splitlines() == [
        "reading sales.csv: 1.0 MB of 3.0 MB (33 %), 1.7 kB/s, 20 min 0 s left",
        "reading sales.csv: 3.0 MB of 3.0 MB (100 %), 5.0 kB/s",
    ]


def test_a_terminal_gets_a_bar() -> None:
    out = io.StringIO()
    progress = BarProgress(Console(file=out, force_terminal=True, width=120))
    progress.start("members", total=200)
    progress.advance(150)
    progress.note("the platform is away")
    progress.advance(50)
    progress.finish()
    assert "200 of 200" in out.getvalue()
    assert "the platform is away" in out.getvalue()


def test_which_of_them_it_is() -> None:
    assert isinstance(progress_on(io.StringIO(), now=Clock()), PlainProgress)
