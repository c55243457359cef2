import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from io import StringIO

import pytest

from services.kit import logs
from services.kit.config import LogFormat
from services.kit.telemetry import span, trace_id

Open = Callable[[LogFormat], StringIO]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Return a function that has everything logged to what it returns, until the test ends."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level

    def open_log(form: LogFormat) -> StringIO:
        stream = StringIO()
        logs.set_up("points", form, stream=stream)
        return stream

    yield open_log
    root.handlers[:] = before
    root.setLevel(level)


def fail() -> None:
    try:
        int("boom")
    except ValueError:
        logging.getLogger("x").exception("failed")


def test_a_line_for_people(opened: Open) -> None:
    stream = opened("text")
    logging.getLogger("x").info("booked %d", 3)
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} INFO    points    booked 3\n", stream.getvalue())


def test_a_line_has_the_trace_it_belongs_to(opened: Open) -> None:
    stream = opened("text")
    with span("s"):
        trace = trace_id()
        logging.getLogger("x").warning("slow")
    assert stream.getvalue().endswith(f"WARNING points    slow  trace={trace}\n")


def test_what_comes_from_outside_cannot_make_a_second_line(opened: Open) -> None:
    stream = opened("text")
    logging.getLogger("x").info("from %s", "a\n12:00:00 ERROR forged")
    assert stream.getvalue().count("\n") == 1


def test_an_exception_follows_its_line_indented(opened: Open) -> None:
    stream = opened("text")
    fail()
    first, *rest = stream.getvalue().splitlines()
    assert first.endswith("ERROR   points    failed")
    assert all(line.startswith("    ") for line in rest)
    assert rest[-1] == "    ValueError: invalid literal for int() with base 10: 'boom'"


def test_json_has_the_same_for_machines(opened: Open) -> None:
    stream = opened("json")
    with span("s"):
        trace = trace_id()
        logging.getLogger("x").info("booked %d\nlines", 3)
    fail()
    booked, failed = (json.loads(line) for line in stream.getvalue().splitlines())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", booked.pop("at"))
    assert booked == {
        "level": "INFO",
        "service": "points",
        "logger": "x",
        "message": "booked 3\nlines",
        "trace_id": trace,
    }
    assert failed["error"].endswith("base 10: 'boom'")
    assert "trace_id" not in failed


def test_the_chatter_of_libraries_is_left_out(opened: Open) -> None:
    stream = opened("text")
    logging.getLogger("pymongo.topology").info("chatter")
    logging.getLogger("x").debug("detail")
    logging.getLogger("pymongo.topology").warning("gone")
    assert stream.getvalue().count("\n") == 1


def test_standard_error_is_where_it_goes(opened: Open) -> None:
    opened("text")
    logs.set_up("points", "text")
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, logging.StreamHandler)
    assert handler.stream is sys.stderr
