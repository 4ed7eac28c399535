"""Whose data and models we meet is written down, all of them, and NOTICE says the same."""

import pkgutil
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "infra" / "release"))

import notice  # noqa: E402

PLACES = {str(each["place"]) for each in notice.things()}


def test_notice_is_what_the_manifest_makes() -> None:
    said = "run `python infra/release/notice.py > NOTICE`"
    assert (ROOT / "NOTICE").read_text() == notice.notice(), said


def test_every_source_and_model_is_listed() -> None:
    sources = {module.name for module in pkgutil.iter_modules([str(ROOT / "etl" / "sources")])}
    assert {f"source:{name}" for name in sources} <= PLACES
    from training.text.lexicon import VADER
    from training.text.named import MINILM

    assert {f"model:{MINILM}", f"model:{VADER}"} <= PLACES
    told = set(re.findall(r"ProsusAI/\w+", (ROOT / "contracts" / "settings.py").read_text()))
    assert {f"model:{name}" for name in told} <= PLACES


def test_every_data_set_that_is_read_is_listed() -> None:
    listed = {place.partition(":")[2] for place in PLACES if place.startswith("data:")}
    read = set()
    for folder in ("tests", "benchmarks", "docs"):
        for path in (ROOT / folder).rglob("*.*"):
            if path.suffix in (".py", ".md"):
                found = re.findall(r"FINPULSE_TEST_DATA[^\n]{0,12}/\s*\"?(\w+)", path.read_text())
                read |= set(found)
    assert read and read <= listed, read - listed


@pytest.mark.parametrize("each", notice.things(), ids=lambda each: each["place"])
def test_each_says_all_that_is_asked(each: dict[str, object]) -> None:
    assert set(each) == {"name", "place", "owner", "licence", "commercial", "use"}
    assert isinstance(each["commercial"], bool)
    assert all(each[key] for key in ("name", "place", "owner", "licence", "use"))
    assert re.fullmatch(r"(source|model|data):[\w/.-]+", str(each["place"]))
    restricted = re.search(r"\bNC\b|research|personal|none given|no licence", str(each["licence"]))
    assert not (restricted and each["commercial"]), "its terms do not allow commercial use"
