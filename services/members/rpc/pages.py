"""Pages of lists: how large, and where they go on."""

from base64 import b64decode, urlsafe_b64encode

from protos.common.v1.page_pb2 import Page
from services.kit.errors import Kind, Problem

USUAL_PAGE, LARGEST_PAGE = 20, 100


class CursorError(Problem):
    """This is not a cursor of this list. Take the `endCursor` of an earlier answer."""

    kind = Kind.INVALID
    code = "CURSOR"


class PageSizeError(Problem):
    """A page has 1 to {most} items, not {first}."""

    kind = Kind.INVALID
    code = "PAGE_SIZE"


def size(page: Page) -> int:
    """Return how many items are wanted."""
    return checked_first(page.first or USUAL_PAGE, most=LARGEST_PAGE)


def checked_first(first: int, *, most: int) -> int:
    """Return `first`, or refuse it."""
    if not 1 <= first <= most:
        raise PageSizeError(field="first", first=first, most=most)
    return first


def encoded(place: str) -> str:
    """Return the cursor of a place in a list; empty for none."""
    return urlsafe_b64encode(place.encode()).decode()


def decoded(cursor: str) -> str:
    """Return the place of a cursor."""
    try:
        return b64decode(cursor, altchars="-_", validate=True).decode()
    except ValueError:  # neither base64 nor text
        raise CursorError(field="after") from None
