"""Pages whose blocks of code run, in their order, as a reader would run them."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
# A page, how many blocks it has at least, and a number in it with another that is wrong.
PAGES = {
    "MoE_Trading_Signal_Architecture.md": (8, "0.39", "0.40"),
    "Stock_Trend_Ensemble_Documentation.md": (9, "0.0224", "0.0424"),
}


def blocks(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", (DOCS / page).read_text(), re.M | re.S)


def run(page: str, parts: list[str]) -> None:
    known: dict[str, object] = {}
    for place, block in enumerate(parts, 1):
        exec(compile(block, f"{page}, block {place}", "exec"), known)


@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_run(page: str) -> None:
    parts = blocks(page)
    rest = re.sub(r"^```python\n.*?^```$", "", (DOCS / page).read_text(), flags=re.M | re.S)
    assert len(parts) >= PAGES[page][0] and "```" not in rest, "a block that is not executed"
    run(page, parts)


@pytest.mark.parametrize("page", PAGES)
def test_a_block_that_is_wrong_is_found(page: str) -> None:
    _, number, wrong = PAGES[page]
    with pytest.raises(AssertionError):
        run(page, [block.replace(number, wrong) for block in blocks(page)])
