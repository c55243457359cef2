from pathlib import Path

import pytest

from tests.support.import_desk import Desk
from tests.support.paper_platform import PaperPlatform


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, PaperPlatform())
