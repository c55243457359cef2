"""What a caller gets to read of an error: a problem's own sentence, or that something is wrong and where to look."""

import logging
from collections.abc import Iterable
from typing import Any

from graphql import GraphQLError
from graphql.error import GraphQLSyntaxError

from services.kit.errors import BUSINESS, Kind, Problem

logger = logging.getLogger(__name__)

SHOWN = BUSINESS | {Kind.UNAUTHENTICATED, Kind.DENIED, Kind.OVERLOADED}
"""The kinds whose words are meant for the caller; the others would speak of the platform's inside."""

WORDS = {
    Kind.UNAVAILABLE: "A part of the platform cannot be reached. Try again in a moment.",
    Kind.TIMED_OUT: "This took too long. Try again; a command with the same key is never done twice.",
    Kind.FAULT: "Something went wrong on our side. Name the trace id when you report it.",
}


def shown(errors: Iterable[GraphQLError], *, trace_id: str) -> list[GraphQLError]:
    """Return the errors as the caller may see them, and log those that nobody expected."""
    return [_shown(error, trace_id) for error in errors]


def problem_of(error: GraphQLError) -> Problem | None:
    """Return the problem behind an error, or None for an error of the request itself (syntax, types, variables)."""
    origin: BaseException | None = error
    while isinstance(origin, GraphQLError):
        origin = origin.original_error
    if isinstance(origin, Problem):
        return origin
    if origin is None and error.path is None:
        return None
    return Problem()


def extensions(problem: Problem, *, trace_id: str) -> dict[str, Any]:
    """Return what programs read of a problem."""
    told: dict[str, Any] = {"code": problem.code if problem.kind in SHOWN else problem.kind.name}
    if problem.field and problem.kind in SHOWN:
        told["field"] = problem.field
    if problem.retry_after_ms:
        told["retryAfterMs"] = problem.retry_after_ms
    return {**told, "traceId": trace_id}


def words(problem: Problem) -> str:
    """Return what people read of a problem."""
    return problem.message if problem.kind in SHOWN else WORDS[problem.kind]


def _shown(error: GraphQLError, trace_id: str) -> GraphQLError:
    problem = problem_of(error)
    if problem is None:
        code = "SYNTAX" if isinstance(error, GraphQLSyntaxError) else "BAD_REQUEST"
        told: dict[str, Any] = {"code": code, **(error.extensions or {}), "traceId": trace_id}
        return GraphQLError(error.message, error.nodes, error.source, error.positions, error.path, extensions=told)
    if problem.kind is Kind.FAULT:
        logger.error("%s failed: %s", error.path, error.message, exc_info=error.original_error)
    elif problem.kind not in SHOWN:
        logger.warning("%s failed: %s", error.path, problem.message)
    told = extensions(problem, trace_id=trace_id)
    return GraphQLError(words(problem), error.nodes, error.source, error.positions, error.path, extensions=told)
