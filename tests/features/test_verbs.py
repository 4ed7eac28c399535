"""The verbs of the features, as a person calls them."""

from typing import Any

import pytest
from typer.testing import CliRunner

from contracts.settings import settings
from contracts.time.amendments import forget
from contracts.universe import Universe
from features import view
from features.__main__ import app, main
from features.panel import kernels

RUNNER = CliRunner()


def test_describe_lists_the_view() -> None:
    done = RUNNER.invoke(app, ["describe"])
    assert done.exit_code == 0
    assert "momentum_20" in done.stdout and view.view("daily_3").hash in done.stdout


@pytest.mark.parametrize("range_", [[], ["--last", "yesterday"]])
def test_a_range_is_asked_for(range_: list[str]) -> None:
    done = RUNNER.invoke(app, ["materialise", *range_])
    assert done.exit_code == 2 and "2025-06-30" in done.output


def test_an_unset_database_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["features", "materialise", "--last", "2025-06-30"])
    with pytest.raises(SystemExit, match="FINPULSE_DATABASE_URL is unset"):
        main()


@pytest.mark.integration
def test_materialise_is_idempotent_and_says_what_it_did(market: Any) -> None:
    market.load()
    days = [f"--first={market.sessions[30]}", f"--last={market.sessions[40]}"]
    for count in (11, 0):
        done = RUNNER.invoke(app, ["materialise", f"--universe={market.universe}", *days])
        assert done.exit_code == 0, done.output
        last = done.stdout.splitlines()[-1]
        assert last == f"{count} sessions materialised at snapshot {market.store.snapshot()}"


@pytest.mark.integration
def test_sessions_are_counted_back_from_the_last(market: Any) -> None:
    market.load()
    words = [f"--universe={market.universe}", f"--last={market.sessions[40]}", "--sessions=11"]
    done = RUNNER.invoke(app, ["materialise", *words])
    assert done.exit_code == 0, done.output
    assert f"{market.sessions[30]} to {market.sessions[40]}" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("11 sessions materialised")


@pytest.mark.integration
def test_failures_are_one_message(market: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["materialise", "--universe", "nowhere", "--last", "2025-06-30"]
    monkeypatch.setattr("sys.argv", ["features", *words])
    with pytest.raises(SystemExit, match="NoFacts: universe 'nowhere' has no members"):
        main()
    market.load()
    words = ["materialise", "--universe", market.universe, "--last", "2025-06-29"]
    monkeypatch.setattr("sys.argv", ["features", *words])
    with pytest.raises(SystemExit, match="has no session from 2025-06-29"):
        main()


def test_compile_asks_no_database_and_leaves_nothing_to_compile_for_the_views(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # That of a set-up before this one, which is stopped.
    monkeypatch.setenv("FINPULSE_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    settings.cache_clear()
    forget()
    done = RUNNER.invoke(app, ["compile"], catch_exceptions=False)
    assert done.exit_code == 0
    kernels_known = {name for name, one in vars(kernels).items() if getattr(one, "signatures", ())}
    assert {"lag", "finite", "session_rank"} <= kernels_known


@pytest.mark.integration
def test_sessions_are_those_of_the_universe_and_not_of_the_settings(
    market: Any, caplog: pytest.LogCaptureFixture, declared: Any
) -> None:
    market.load()
    declared(Universe(market.universe, "XLON", "GBP"))
    # On 19 June 2025 New York rested and London did not.
    words = [f"--universe={market.universe}", "--last=2025-06-20", "--sessions=3"]
    done = RUNNER.invoke(app, ["materialise", *words], catch_exceptions=False)
    assert "2025-06-18 to 2025-06-20" in done.stdout
    assert (
        "goes by the sessions of XLON, and none of its members trades there (XNYS)" in caplog.text
    )
