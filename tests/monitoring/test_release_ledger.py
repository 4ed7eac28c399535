"""Releases in a real ledger: who is staged, who goes on, who may not."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import postgres as launcher
import pytest
from market import FLAT, STEEP, Market
from typer.testing import CliRunner

from contracts import objects
from contracts.champion import PROMOTED, SENTIMENT, Office, champion
from contracts.release.rollout import HOLD, PROMOTE, ROLLBACK, decisions, staged
from contracts.settings import settings
from contracts.store import Store
from monitoring.__main__ import app
from monitoring.export.gauges import state
from monitoring.release.gate import evaluate, under_way
from training.office.staging import ReleaseRefused, Step, begin, take
from training.run.records import Fit
from training.steps.promote import apply
from training.steps.zero import install_first

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("nobody_listens")]

NOW = datetime(2025, 7, 2, tzinfo=UTC)
OFFICE = Office("sim20", "trend_1")


def told(store: Store) -> dict[str, float]:
    """What the exporter says of the only office's releases."""
    families = {each.name: each.samples for each in state(store, NOW)}
    names = ("release_share", "release_rollbacks")
    known = {name: families[f"finpulse_{name}"] for name in names}
    return {name: samples[0].value for name, samples in known.items() if samples}


@pytest.fixture
def nobody_listens(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No MLflow: the ledger decides without it."""
    monkeypatch.setenv("FINPULSE_MLFLOW_URL", f"http://127.0.0.1:{launcher.free_port()}")
    settings.cache_clear()
    yield


def test_one_release_of_a_universe_at_a_time(store: Store, market: Market) -> None:
    market.crown(store, FLAT, 1)
    bundle = market.prior(STEEP)
    first = begin(store, OFFICE, Fit("", bundle.hash, 2), "why", NOW)
    assert staged(store) == [first] and first.champion != bundle.hash
    with pytest.raises(ReleaseRefused, match="--abort"):
        begin(store, OFFICE, Fit("", market.prior((0.2, 0.2, 0.6)).hash, 3), "why", NOW)
    take(store, first, Step(ROLLBACK, "out", 0.0, "not now"), NOW)
    assert staged(store) == []
    again = begin(store, OFFICE, Fit("", bundle.hash, 2), "why", NOW)
    assert again.rollout_id != first.rollout_id
    with pytest.raises(ReleaseRefused, match="decided on meanwhile"):
        take(store, first, Step(HOLD, "shadow", 0.0, "late"), NOW)


def test_a_release_is_exported_and_its_rollback_too(store: Store, market: Market) -> None:
    market.crown(store, FLAT, 1)
    assert told(store) == {"release_rollbacks": 0.0}
    first = begin(store, OFFICE, Fit("", market.prior(STEEP).hash, 2), "why", NOW)
    first = take(store, first, Step(PROMOTE, "canary", 0.1, "all passed"), NOW)
    assert told(store) == {"release_share": 0.1, "release_rollbacks": 0.0}
    take(store, first, Step(ROLLBACK, "out", 0.0, "not now"), NOW)
    assert told(store) == {"release_rollbacks": 1.0}


def test_who_is_in_office_or_of_another_office_is_not_released(
    store: Store, market: Market
) -> None:
    held = market.crown(store, FLAT, 1)
    with pytest.raises(ReleaseRefused, match="in office already"):
        begin(store, OFFICE, Fit("", held.hash, 1), "why", NOW)
    other = market.prior(STEEP, target="trend_5", horizon=5)
    with pytest.raises(ReleaseRefused, match="trained for sim20/trend_5"):
        begin(store, OFFICE, Fit("", other.hash, 1), "why", NOW)


def test_into_office_it_goes_as_promotions_do_and_once(store: Store, market: Market) -> None:
    held = market.crown(store, FLAT, 1)
    bundle = market.prior(STEEP)
    first = begin(store, OFFICE, Fit("", bundle.hash, 2), "why", NOW)
    done = take(store, first, Step(PROMOTE, "office", 1.0, "all passed"), NOW)
    found = champion(store, OFFICE)
    assert found is not None and found.bundle == bundle.hash
    rows = store.query("SELECT cause, previous_bundle FROM promotions ORDER BY number DESC")
    assert rows.to_pylist()[0] == {"cause": "canary", "previous_bundle": held.hash}
    assert decisions(store, OFFICE)[0] == done and not done.staged


def test_nobody_is_put_aside_who_came_into_office_meanwhile(store: Store, market: Market) -> None:
    market.crown(store, FLAT, 1)
    first = begin(store, OFFICE, Fit("", market.prior(STEEP).hash, 2), "why", NOW)
    other = market.crown(store, (0.31, 0.38, 0.31), 3)
    with pytest.raises(ReleaseRefused, match="in office no more"):
        take(store, first, Step(PROMOTE, "office", 1.0, "all passed"), NOW)
    found = champion(store, OFFICE)
    assert found is not None and found.bundle == other.hash


def test_a_contests_winner_is_staged_where_releases_are(
    store: Store, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, bundle = market.crown(store, FLAT, 1), market.prior(STEEP)
    won: Any = SimpleNamespace(
        **{"office": OFFICE, "champion": held.hash, "challenger": bundle.hash},
        **{"outcome": PROMOTED, "promotion_id": "c1", "reason": "won", "as_json": dict},
    )
    monkeypatch.setenv("FINPULSE_RELEASE", "staged")
    settings.cache_clear()
    assert apply(store, won, Fit("soft", bundle.hash, 2), NOW) == 1
    [release] = staged(store)
    assert (release.bundle, release.rollout_id) == (bundle.hash, "c1")
    found = champion(store, OFFICE)
    assert found is not None and found.bundle == held.hash
    rows = store.query("SELECT decision, cause FROM promotions ORDER BY number DESC LIMIT 1")
    assert rows.to_pylist() == [{"decision": "staged", "cause": "contest"}]
    assert apply(store, won, Fit("soft", bundle.hash, 2), NOW) == 0
    assert len(decisions(store, OFFICE)) == 1, "a repeat begins nothing"
    other = SimpleNamespace(**vars(won) | {"promotion_id": "c2", "challenger": "x"})
    with pytest.raises(ReleaseRefused, match="no release under way"):
        apply(store, other, Fit("soft", market.prior((0.2, 0.2, 0.6)).hash, 3), NOW)
    rows = store.query("SELECT * FROM promotions WHERE promotion_id = 'c2'")
    assert rows.num_rows == 0, "it may be applied later"


def test_who_reads_texts_is_staged_before_nobody(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_first(store, SENTIMENT, Fit("vader", "vader-1", 1), NOW)
    monkeypatch.setenv("FINPULSE_RELEASE", "staged")
    settings.cache_clear()
    won: Any = SimpleNamespace(
        **{"office": SENTIMENT, "champion": "vader-1", "challenger": "tuned-1"},
        **{"outcome": PROMOTED, "promotion_id": "c1", "reason": "won", "as_json": dict},
    )
    assert apply(store, won, Fit("", "tuned-1", 2), NOW) == 1
    found = champion(store, SENTIMENT)
    assert found is not None and found.bundle == "tuned-1" and staged(store) == []


def test_a_promotion_that_did_not_hold_cools_down(store: Store, market: Market) -> None:
    market.crown(store, FLAT, 1)
    bundle = market.prior(STEEP)
    first = begin(store, OFFICE, Fit("", bundle.hash, 2), "why", NOW)
    done = take(store, first, Step(PROMOTE, "office", 1.0, "all passed"), NOW)
    market.crown(store, (0.31, 0.38, 0.31), 3)
    take(store, done, Step(ROLLBACK, "out", 0.0, "a guard was lost"), NOW)
    other = market.prior((0.2, 0.2, 0.6))
    with pytest.raises(ReleaseRefused, match="cools down until 2025-07-05"):
        begin(store, OFFICE, Fit("", other.hash, 4), "why", NOW + timedelta(hours=71))
    begin(store, OFFICE, Fit("", other.hash, 4), "why", NOW + timedelta(hours=73))


def test_without_callers_it_holds_and_goes_at_the_deadline(store: Store, market: Market) -> None:
    market.crown(store, FLAT, 1)
    bundle = market.prior((0.31, 0.38, 0.31))
    release = begin(store, OFFICE, Fit("", bundle.hash, 2), "why", NOW)
    market.forecast(store, bundle, 2, market.sessions[-3:])
    found = evaluate(store, release, NOW + timedelta(hours=1))
    assert found.verdict == HOLD and "FINPULSE_PROMETHEUS_URL" in found.after.reason
    later = under_way(store, "sim20")
    assert evaluate(store, later, NOW + timedelta(hours=23)).verdict == HOLD
    gone = evaluate(store, under_way(store, "sim20"), NOW + timedelta(hours=25))
    assert gone.verdict == ROLLBACK and gone.after.reason.startswith("no data within 24 h")


def test_nobody_goes_for_want_of_callers_over_a_weekend(store: Store, market: Market) -> None:
    """`train_models` ends in the night after a week's last session: that is when releases begin."""
    market.crown(store, FLAT, 1)
    bundle = market.prior((0.31, 0.38, 0.31))
    friday = datetime(2025, 7, 11, 22, tzinfo=UTC)
    begin(store, OFFICE, Fit("", bundle.hash, 2), "why", friday)
    market.forecast(store, bundle, 2, market.sessions[-3:])
    for hours in (26, 50, 69.9):  # Monday's close is 70 hours after.
        found = evaluate(store, under_way(store, "sim20"), friday + timedelta(hours=hours))
        assert found.verdict == HOLD, hours
    gone = evaluate(store, under_way(store, "sim20"), friday + timedelta(hours=70.1))
    assert gone.verdict == ROLLBACK and gone.after.reason.startswith("no data within 24 h")


def test_an_object_store_that_is_away_is_nobodys_fault(store: Store, market: Market) -> None:
    market.crown(store, FLAT, 1)
    release = begin(store, OFFICE, Fit("", market.prior(STEEP).hash, 2), "why", NOW)
    objects.remove("bundles")
    found = evaluate(store, release, NOW)
    assert found.verdict == HOLD and "golden rows" in found.after.reason


def test_another_champion_ends_the_release(store: Store, market: Market) -> None:
    market.crown(store, FLAT, 1)
    release = begin(store, OFFICE, Fit("", market.prior(STEEP).hash, 2), "why", NOW)
    market.crown(store, (0.31, 0.38, 0.31), 3)
    found = evaluate(store, release, NOW)
    assert found.verdict == ROLLBACK and "came into office meanwhile" in found.after.reason


def test_a_person_who_chose_it_ends_the_release_in_office(store: Store, market: Market) -> None:
    market.crown(store, FLAT, 1)
    bundle = market.prior(STEEP)
    release = begin(store, OFFICE, Fit("", bundle.hash, 2), "why", NOW)
    market.promote(store, market.champion(bundle, 2))
    found = evaluate(store, release, NOW)
    assert (found.verdict, found.after.stage) == (PROMOTE, "office")


def test_the_verb_says_the_word_last_and_the_shell_its_code(store: Store, market: Market) -> None:
    ask = CliRunner().invoke
    assert "--begin BUNDLE" in str(ask(app, ["rollout"]).exception)
    assert ask(app, ["rollout", "--every-universe"]).output.split() == [
        *("0", "releases", "evaluated")
    ]
    market.crown(store, FLAT, 1)
    bundle = market.prior((0.31, 0.38, 0.31))
    assert ask(app, ["rollout", "--begin", bundle.hash]).exit_code == 0
    held = ask(app, ["rollout"])
    assert (held.exit_code, held.output.split()[-1]) == (75, "HOLD")
    assert "check" in held.output and "answers" in held.output
    ended = ask(app, ["rollout", "--abort", "not today"])
    assert ended.output.split()[-1] == "ROLLBACK"
    assert decisions(store, OFFICE)[0].reason == "not today"
    assert ask(app, ["rollout", "--begin", bundle.hash]).exit_code == 0
    market.crown(store, STEEP, 3)
    gone = ask(app, ["rollout", "--every", "0.1"])
    assert (gone.exit_code, gone.output.split()[-1]) == (1, "ROLLBACK")


def test_an_empty_word_evaluates_nobody(store: Store, market: Market) -> None:
    """As a shell gives it whose variable is unset."""
    market.crown(store, FLAT, 1)
    bundle = market.prior((0.31, 0.38, 0.31)).hash
    ask = CliRunner().invoke
    assert ask(app, ["rollout", "--begin", bundle]).exit_code == 0
    for words in (("--begin", ""), ("--abort", " "), ("--begin", bundle, "--abort", "both")):
        refused = ask(app, ["rollout", *words])
        assert refused.exit_code == 2 and "expected" in refused.output, words
    assert len(decisions(store, OFFICE)) == 1
