"""The page on gates: each block of code in it runs, in their order, as a reader would run them."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "MoE_Trading_Signal_Architecture.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.M | re.S)


def run(blocks: list[str]) -> dict[str, object]:
    known: dict[str, object] = {}
    for place, block in enumerate(blocks, 1):
        exec(compile(block, f"{PAGE.name}, block {place}", "exec"), known)
    return known


def test_the_blocks_of_the_page_run() -> None:
    assert len(BLOCKS) >= 8 and "```" not in re.sub(
        r"^```python\n.*?^```$", "", PAGE.read_text(), flags=re.M | re.S
    ), "a block that is not executed"
    run(BLOCKS)


def test_a_block_that_is_wrong_is_found() -> None:
    broken = [block.replace("0.39", "0.40") for block in BLOCKS]
    with pytest.raises(AssertionError):
        run(broken)
