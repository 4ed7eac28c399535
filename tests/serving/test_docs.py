"""The examples of docs/api.md, as they are pasted into a shell."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from market import FLAT, Market
from predictor import Start, wait_for

from contracts.store import Store

pytestmark = pytest.mark.integration

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text()
EXAMPLES = re.findall(r"^curl .*$", PAGE, re.M)
KEY = "docs-key-0123456789"


def test_every_example_is_answered(store: Store, market: Market, start: Start) -> None:
    market.crown(store, FLAT, 1)
    predictor = start(api_keys=f"docs:{KEY}")
    wait_for(lambda: predictor.ready)
    environment = os.environ | {"URL": predictor.url, "KEY": KEY}
    assert len(EXAMPLES) >= 6
    for example in EXAMPLES:
        command = example.replace("curl ", "curl --fail-with-body ")
        done = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{example}\n{done.stdout}"
        assert json.loads(done.stdout)


def test_every_code_of_the_code_is_explained() -> None:
    sources = (Path(__file__).resolve().parents[2] / "serving").rglob("*.py")
    text = "".join(path.read_text() for path in sources)
    codes = set(re.findall(r'\d{3},\s*"([a-z_]+)"', text)) | {"key_missing", "key_unknown"}
    assert {"quota_exhausted", "unknown_symbol", "body_too_long"} <= codes
    assert codes <= set(re.findall(r"`([a-z_]+)`", PAGE))
