"""Which sessions a demo works on: the source's newest, the one shown last, or the next."""

from datetime import date
from pathlib import Path
from typing import Any

import outcome
import pytest
from demo import Demo, Span
from stack import Stack, asked_settings

FIRST, END = date(2025, 1, 2), date(2025, 6, 30)
BEFORE, AFTER, LATER = date(2025, 6, 27), date(2025, 7, 1), date(2025, 7, 2)


@pytest.fixture
def span(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The span for a session shown last, going on or not, of a source that ends with END or not."""
    stack = Stack.of(asked_settings())

    def asked(shown: date | None, onwards: bool = False, endless: bool = True) -> Span:
        def extent(_: Demo, *options: str) -> tuple[date, date]:
            return FIRST, date.fromisoformat(options[1]) if options and endless else END

        monkeypatch.setattr(Demo, "extent", extent)
        monkeypatch.setattr(outcome, "newest", lambda _: shown)
        return Demo(stack, onwards).span()

    return asked


@pytest.mark.parametrize("onwards", [False, True])
@pytest.mark.parametrize("shown", [None, BEFORE])
def test_what_was_never_shown_is_shown_first(span: Any, shown: date, onwards: bool) -> None:
    assert span(shown, onwards) == Span(FIRST, FIRST, BEFORE, END)


def test_again_is_the_same(span: Any) -> None:
    assert span(END) == Span(FIRST, FIRST, BEFORE, END)
    assert span(LATER) == Span(FIRST, AFTER, AFTER, LATER)


def test_onwards_is_one_session_more_of_which_only_the_one_before_is_loaded(span: Any) -> None:
    assert span(END, onwards=True) == Span(FIRST, END, END, AFTER)
    assert span(AFTER, onwards=True) == Span(FIRST, AFTER, AFTER, LATER)


def test_a_source_that_ends_says_so(span: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert span(END, onwards=True, endless=False) == Span(FIRST, FIRST, BEFORE, END)
    assert "the source simulated ends with 2025-06-30" in capsys.readouterr().out
    assert span(END, endless=False) == Span(FIRST, FIRST, BEFORE, END)
    assert "ends" not in capsys.readouterr().out


def test_each_dag_gets_its_part_and_the_same_part_is_the_same_run(span: Any) -> None:
    first, again = span(END, onwards=True), span(AFTER)
    demo = Demo(Stack.of(asked_settings()))
    assert demo.runs(first) == demo.runs(again)
    runs = demo.runs(first)
    assert runs["market_day"]["session"] == str(AFTER)
    assert runs["train_models"]["session"] == str(END)
    assert (runs["backfill_market"]["first"], runs["backfill_market"]["last"]) == (str(END),) * 2
