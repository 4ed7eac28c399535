"""The market of `tests/fixtures`."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fixtures"))

from market import Market


@pytest.fixture
def market() -> Market:
    """Facts and ledgers, to be put where a test wants them."""
    return Market()
