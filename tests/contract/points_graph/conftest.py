from collections.abc import AsyncIterator

import pytest

from tests.support.points_desk import PointsDesk, points_desk


@pytest.fixture
async def points() -> AsyncIterator[PointsDesk]:
    async with points_desk() as desk:
        yield desk
