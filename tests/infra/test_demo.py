"""Which sessions a demo works on: the source's newest, the one shown last, or the next."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import outcome
import pytest
from demo import Demo, Span, chosen, demo_recipes
from stack import Stack, StackError, asked_settings

from contracts.universe import Universe, everything
from training.recipe import recipe

FIRST, END = date(2025, 1, 2), date(2025, 6, 30)
BEFORE, AFTER, LATER = date(2025, 6, 27), date(2025, 7, 1), date(2025, 7, 2)


@pytest.fixture
def span(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The span for a session shown last, going on or not, of a source that ends with END or not."""
    stack = Stack.of(asked_settings())

    def asked(
        shown: date | None, onwards: bool = False, endless: bool = True, named: str = ""
    ) -> Span:
        def extent(_: Demo, *options: str) -> tuple[date, date]:
            return FIRST, date.fromisoformat(options[1]) if options and endless else END

        monkeypatch.setattr(Demo, "extent", extent)
        monkeypatch.setattr(outcome, "newest", lambda *_: shown)
        return Demo(stack, onwards, named).span()

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
    runs = {dag: conf for together in demo.runs(first) for dag, conf in together.items()}
    assert runs["market_day"]["session"] == str(AFTER)
    assert runs["train_models"]["session"] == str(END)
    assert (runs["backfill_market"]["first"], runs["backfill_market"]["last"]) == (str(END),) * 2


def test_a_second_universe_goes_by_its_own_sessions_and_runs_its_own_dag(span: Any) -> None:
    # On 4 July New York rests and London does not.
    before, rest = date(2025, 7, 3), date(2025, 7, 4)
    assert span(before, onwards=True, named="london8").last == rest
    assert span(before, onwards=True).last == date(2025, 7, 7)
    first, second = (
        Demo(Stack.of(asked_settings())),
        Demo(Stack.of(asked_settings()), False, "london8"),
    )
    parts = second.runs(span(END, named="london8"))
    runs = {dag: conf for together in parts for dag, conf in together.items()}
    assert set(runs) == {"train_models", "train_targets", "backfill_market", "market_day_london8"}
    assert {conf["universe"] for conf in runs.values()} == {"london8"}
    assert runs["market_day_london8"]["source"] == "simulated"
    assert "market_day" in first.runs(span(END))[-1]


def test_every_recipe_of_the_demo_is_trained_once_and_parts_before_who_hears_them(
    span: Any,
) -> None:
    trained: list[set[str]] = []
    for together in Demo(Stack.of(asked_settings())).runs(span(END)):
        asked = [conf.get("recipe") or conf.get("recipes", "") for conf in together.values()]
        trained.append({name for names in asked for name in names.split(",") if name})
    names = [name for wave in trained for name in wave]
    assert sorted(names) == sorted(demo_recipes()) and len(names) > 2
    for place, wave in enumerate(trained):
        heard = {part.recipe for name in wave for part in recipe(name).parts.values()}
        assert heard <= set().union(*trained[:place])


def test_the_settings_universe_by_its_name_is_the_same_demo(span: Any) -> None:
    named = Demo(Stack.of(asked_settings()), False, "sim20")
    assert named.runs(span(END)) == Demo(Stack.of(asked_settings())).runs(span(END))


@pytest.mark.troubleshooting("no universe is named ...")
def test_a_universe_that_nobody_declared_is_refused_by_its_name() -> None:
    with pytest.raises(
        StackError, match=r"no universe is named 'london9': expected sim20(?s:.*)london8"
    ):
        chosen(asked_settings(), "london9")


def test_a_universe_of_real_facts_is_no_second_one_of_a_simulated_market(
    declared: Callable[[Universe], Universe], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = declared(Universe("ftse", "XLON", "GBP", ("VOD.L",), everything("nasdaq", "yahoo")))
    with pytest.raises(StackError, match="set SOURCE=nasdaq too"):
        chosen(asked_settings(), "ftse")
    monkeypatch.setenv("FINPULSE_SOURCE", "yahoo")
    assert chosen(asked_settings(), "ftse") == (real, "yahoo"), "one that it lists is not replaced"
