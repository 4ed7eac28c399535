"""What a training is about where nobody says it: the sessions whose bars its snapshot holds."""

import json

import pytest
from market import Market
from typer.testing import CliRunner

from contracts.settings import settings
from contracts.store import Store
from training.__main__ import app
from training.run.asked import held
from training.samples.samples import TrainingError

pytestmark = pytest.mark.integration


@pytest.fixture
def market(store: Store, monkeypatch: pytest.MonkeyPatch) -> Market:
    """Forty sessions of one universe."""
    monkeypatch.setenv("FINPULSE_TEXT_MODEL", "minilm")
    settings.cache_clear()
    made = Market("sim20")
    made.load(store)
    return made


def asked(*options: str) -> dict[str, str]:
    done = CliRunner().invoke(app, ["inputs", *options])
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.output.splitlines()[-1]))


def test_unasked_it_is_all_that_the_snapshot_holds(store: Store, market: Market) -> None:
    snapshot = store.snapshot()
    later = Market("elsewhere", "XLON", ("LON1",))
    later.load(store)
    span = {"first": str(market.sessions[0]), "session": str(market.last)}
    for options in (("--snapshot", str(snapshot)), ()):
        found = asked("--universe", "sim20", *options)
        assert {key: found[key] for key in span} == span
        assert (found["recipe"], found["target"]) == ("default", "trend_1")
    with pytest.raises(TrainingError, match="'elsewhere' has no bars of 1d at snapshot"):
        held(store, "elsewhere", "1d", snapshot)
    assert held(store, "elsewhere", "1d", store.snapshot())[1] == later.last


def test_an_empty_word_is_none_and_a_target_has_its_own_recipe(market: Market) -> None:
    one = str(market.sessions[3])
    found = asked("--target=risk_1", f"--session={one}", "--first=", "--recipe=demo", "--universe=")
    assert (found["recipe"], found["target"]) == ("risk", "risk_1")
    assert (found["session"], found["first"]) == (one, str(market.sessions[0]))
    assert asked("--target=", "--recipe=demo")["recipe"] == "demo"


def test_a_target_that_nobody_learns_is_named(market: Market) -> None:
    done = CliRunner().invoke(app, ["inputs", "--target=rain"])
    assert done.exit_code != 0 and "rain" in str(done.exception)
