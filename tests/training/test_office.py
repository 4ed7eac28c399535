"""From champion zero to a promotion, on a real MLflow server and a real ledger."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from contracts import objects
from contracts.champion import KEPT, PROMOTED, ROLLED_BACK, Office, champion, pointer, reign
from contracts.settings import settings
from contracts.store import Store
from features.view import view
from training.bundle import bundle
from training.office import incumbency
from training.office import ledger as ledger_of
from training.run import records
from training.run.mlflow_api import Mlflow
from training.run.records import Fit, StepMissing
from training.run.scope import Scope
from training.steps import combine, contest, fit, packing, promote, prove, rollback
from training.steps.zero import install_first

pytestmark = pytest.mark.integration

NOW, LATER, LAST = (datetime(2025, 7, day, tzinfo=UTC) for day in (1, 2, 3))


def train(store: Store, scope: Scope) -> tuple[Fit, Fit]:
    zero = fit.fit(store, scope, "class_prior", verb="zero")
    install_first(store, scope.office, zero, NOW)
    for name in scope.recipe.experts:
        fit.fit(store, scope, name)
    fitted = combine.combine(store, scope)
    prove.prove(store, scope, "the effect is planted")
    return zero, fitted


def alias(server: Mlflow, office: Office) -> int:
    fields = {"name": office.models[0], "alias": "champion"}
    answer = server.call("GET", "mlflow/registered-models/alias", **fields)
    return int(answer["model_version"]["version"])


def versions(server: Mlflow, office: Office) -> dict[int, str]:
    wanted = f"name = '{office.models[0]}'"
    listed = server.call("GET", "mlflow/model-versions/search", filter=wanted)["model_versions"]
    return {
        int(v["version"]): next(t["value"] for t in v["tags"] if t["key"] == "bundle")
        for v in listed
    }


def ledger(store: Store) -> list[dict[str, Any]]:
    return store.query("SELECT * FROM promotions ORDER BY number").to_pylist()


def test_a_planted_effect_takes_office_and_a_repeat_changes_nothing(
    store: Store, tracking: Mlflow, market: Callable[..., Scope]
) -> None:
    scope = market(effect=1.0)
    zero, fitted = train(store, scope)
    assert alias(tracking, scope.office) == zero.version
    decision = contest.contest(store, scope)
    assert decision is not None and decision.outcome == PROMOTED
    assert decision.sessions == 59, "the label of the newest session has not settled"
    assert promote.promote(store, scope, LATER) == (decision, 1)
    assert alias(tracking, scope.office) == fitted.version
    assert json.loads(objects.get(pointer(scope.office)))["bundle"] == fitted.bundle
    assert [c.bundle for c in reign(store, scope.office)] == [fitted.bundle, zero.bundle]

    assert train(store, scope) == (zero, fitted)
    assert contest.contest(store, scope) is None
    assert promote.promote(store, scope, LATER) == (decision, 0)
    experts = [records.read_fit(scope, name) for name in scope.recipe.experts]
    made = {fit.version: fit.bundle for fit in (zero, fitted, *experts)}
    assert versions(tracking, scope.office) == made and len(made) == 4
    assert len(ledger(store)) == 2


def test_noise_leaves_champion_zero_in_office(
    store: Store, tracking: Mlflow, market: Callable[..., Scope]
) -> None:
    scope = market(effect=0.0)
    zero, fitted = train(store, scope)
    decision = contest.contest(store, scope)
    assert decision is not None and decision.outcome == KEPT
    assert promote.promote(store, scope, LATER) == (decision, 1)
    assert promote.promote(store, scope, LATER) == (decision, 0)
    row = ledger(store)[-1]
    assert (row["decision"], row["bundle"], row["previous_bundle"]) == (
        KEPT,
        fitted.bundle,
        zero.bundle,
    )
    assert json.loads(row["evidence"])["p_value"] == decision.p_value
    assert alias(tracking, scope.office) == zero.version


def test_contests_of_an_incumbent_share_their_sessions_and_a_repeat_finds_the_same(
    store: Store, tracking: Mlflow, market: Callable[..., Scope]
) -> None:
    later = market(effect=0.0)
    scope = replace(later, cut=later.cut.until(date(2025, 6, 20)))
    zero, _ = train(store, scope)
    first = contest.contest(store, scope)
    assert first is not None and contest.contest(store, scope) == first
    assert promote.promote(store, scope, LATER) == (first, 1)
    assert contest.contest(store, scope) == first, "its own row is no earlier contest"
    assert promote.promote(store, scope, LATER) == (first, 0)

    _, fitted = train(store, later)
    second = contest.contest(store, later)
    assert second is not None and second.champion == first.champion == zero.bundle
    # Between the 20th and the 30th lie five sessions: the market rests on no day but weekends.
    assert (first.all_sessions, second.all_sessions) == (59, 59 + 6)
    assert sorted(second.counted) == [f"2025-06-{day}" for day in (20, 23, 24, 25, 26, 27)]
    assert not set(first.counted) & set(second.counted)
    assert promote.promote(store, later, LAST) == (second, 1)
    assert contest.contest(store, later) == second and contest.contest(store, scope) == first
    assert incumbency.contests_of(store, scope.office, fitted.bundle) == []
    assert len(ledger(store)) == 3


def test_an_alias_left_behind_follows_the_ledger_on_a_repeat(
    store: Store, tracking: Mlflow, market: Callable[..., Scope], monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = market(effect=1.0)
    zero, fitted = train(store, scope)
    contest.contest(store, scope)
    with monkeypatch.context() as away:
        away.setenv("FINPULSE_MLFLOW_URL", "http://127.0.0.1:9")
        settings.cache_clear()
        assert promote.promote(store, scope, LATER)[1] == 1
    settings.cache_clear()
    assert alias(tracking, scope.office) == zero.version
    in_office = champion(store, scope.office)
    assert in_office is not None and in_office.bundle == fitted.bundle
    assert promote.promote(store, scope, LATER)[1] == 0
    assert alias(tracking, scope.office) == fitted.version


def test_what_mlflow_lost_is_registered_again_by_the_promotion(
    store: Store, tracking: Mlflow, market: Callable[..., Scope]
) -> None:
    scope = market(effect=1.0)
    zero, fitted = train(store, scope)
    contest.contest(store, scope)
    tracking.call("DELETE", "mlflow/registered-models/delete", name=scope.office.models[0])
    assert promote.promote(store, scope, LATER)[1] == 1
    number = alias(tracking, scope.office)
    assert versions(tracking, scope.office) == {number: fitted.bundle}
    in_office = champion(store, scope.office)
    assert in_office is not None and in_office.bundle == fitted.bundle
    back = rollback.roll_back(store, scope.office, fitted.bundle, "it fell", LAST)
    assert back is not None and back.bundle == zero.bundle
    assert versions(tracking, scope.office)[alias(tracking, scope.office)] == zero.bundle


def test_a_lock_lost_before_the_row_writes_none(
    store: Store, tracking: Mlflow, market: Callable[..., Scope], monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = market(effect=1.0)
    train(store, scope)
    contest.contest(store, scope)
    query, ended = store.query, list[int]()

    def end_first(statement: str, values: Any = ()) -> Any:
        if statement.startswith("SELECT 1 AS one FROM promotions"):
            holders = "SELECT pg_terminate_backend(pid) AS ended FROM pg_locks WHERE "
            holders += "locktype = 'advisory' AND database = (SELECT oid FROM pg_database "
            ended.append(query(holders + "WHERE datname = current_database())").num_rows)
        return query(statement, values)

    monkeypatch.setattr(store, "query", end_first)
    with pytest.raises(Exception, match=r"the lock .* was lost|terminat|closed"):
        promote.promote(store, scope, LATER)
    assert ended and len(ledger(store)) == 1, "another may be deciding meanwhile"


def test_a_contest_against_a_former_champion_is_stale(
    store: Store, tracking: Mlflow, market: Callable[..., Scope], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The decision is made before MLflow's registry is asked for anything.
    monkeypatch.setattr(packing, "register", lambda *_: 1)
    monkeypatch.setattr(ledger_of, "show_champion", lambda *_: False)
    scope = market(effect=1.0)
    train(store, scope)
    contest.contest(store, scope)
    other = ledger_of.Ruling("by hand", PROMOTED, "person", "", {})
    ledger_of.record(store, scope.office, Fit("other", "f" * 64, 1), other, LATER)
    with pytest.raises(promote.StaleContest, match="ffffffffffff is in office"):
        promote.promote(store, scope, LATER)


def test_steps_out_of_order_name_the_verb(
    store: Store, tracking: Mlflow, market: Callable[..., Scope]
) -> None:
    scope = market()
    with pytest.raises(StepMissing, match="training zero"):
        contest.contest(store, scope)
    with pytest.raises(StepMissing, match="training fit --expert logistic"):
        combine.combine(store, scope)
    with pytest.raises(StepMissing, match="training fit --expert logistic"):
        prove.prove(store, scope, "")
    with pytest.raises(StepMissing, match="training contest"):
        promote.promote(store, scope, NOW)


def test_a_rollback_puts_the_champion_before_back_once(
    store: Store, tracking: Mlflow, market: Callable[..., Scope]
) -> None:
    scope = market(effect=1.0)
    zero, fitted = train(store, scope)
    office = scope.office
    with pytest.raises(StepMissing, match="no champion before the one in office"):
        rollback.roll_back(store, office, zero.bundle, "a try", LATER)
    contest.contest(store, scope)
    promote.promote(store, scope, LATER)
    back = rollback.roll_back(store, office, fitted.bundle, "the score fell", LAST)
    assert back is not None and (back.bundle, back.model_version) == (zero.bundle, zero.version)
    assert alias(tracking, office) == zero.version
    row = ledger(store)[-1]
    assert (row["decision"], row["reason"]) == (ROLLED_BACK, "the score fell")
    assert (row["bundle"], row["previous_bundle"]) == (zero.bundle, fitted.bundle)
    assert rollback.roll_back(store, office, fitted.bundle[:8], "again", LAST) is None
    with pytest.raises(StepMissing, match="no champion before"):
        rollback.roll_back(store, office, zero.bundle, "further back", LAST)
    assert len(ledger(store)) == 3


FAULTS = {
    "was changed": lambda folder: (folder / "prior.json").write_bytes(b"{}"),
    "is missing": lambda folder: (folder / "prior.json").unlink(),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_bundle_is_not_rolled_back_to(
    store: Store, tracking: Mlflow, market: Callable[..., Scope], fault: str
) -> None:
    scope = market(effect=1.0)
    zero = fit.fit(store, scope, "class_prior", verb="zero")
    install_first(store, scope.office, zero, NOW)
    other = fit.fit(store, scope, "logistic")
    won = ledger_of.Ruling(uuid4().hex, PROMOTED, "person", "", {})
    ledger_of.record(store, scope.office, other, won, LATER)
    ledger_of.follow(store, scope.office)
    FAULTS[fault](Path(settings().objects) / "bundles" / zero.bundle)
    with pytest.raises(bundle.BundleError, match=rf"prior\.json {fault}"):
        rollback.roll_back(store, scope.office, other.bundle, "a try", LAST)
    in_office = champion(store, scope.office)
    assert in_office is not None and in_office.bundle == other.bundle
    assert alias(tracking, scope.office) == other.version
    assert len(ledger(store)) == 2


def test_a_challenger_of_a_foreign_view_is_refused(
    store: Store, tracking: Mlflow, market: Callable[..., Scope], monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = market(effect=1.0)
    train(store, scope)
    today = view(scope.recipe.view)
    monkeypatch.setattr("features.view.view", lambda _: replace(today, version=2))
    with pytest.raises(bundle.ViewChanged, match=f"was trained on view {today.name} {today.hash}"):
        contest.contest(store, scope)
    assert len(ledger(store)) == 1


@pytest.fixture
def mlflow(tracking: Mlflow) -> Iterator[Any]:
    import mlflow

    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(tracking.url)
    yield mlflow
    mlflow.set_tracking_uri(before)


def test_mlflow_loads_the_champion_and_answers_as_the_bundle_does(
    store: Store, mlflow: Any, market: Callable[..., Scope]
) -> None:
    import pandas as pd

    scope = market(effect=1.0)
    _, fitted = train(store, scope)
    loaded = mlflow.pyfunc.load_model(f"models:/{scope.office.models[0]}/{fitted.version}")
    values = scope.training(store).values[:20]
    own = bundle.load(fitted.bundle)
    frame = pd.DataFrame(values, columns=list(own.manifest.features))
    assert set(own.manifest.files) >= {"xgboost/model.ubj", "logistic/linear.json"}
    answer = loaded.predict(frame)
    assert list(answer.columns) == ["p_down", "p_neutral", "p_up"]
    assert np.abs(answer.to_numpy() - own.forecast(values)).max() < 1e-6
    assert records.read_fit(scope, "soft") == fitted
