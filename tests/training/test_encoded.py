"""What an encoder makes of a row: inside an expert, and as columns beside a view's features."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from places import Place, placed, ran

from contracts import objects
from contracts.champion import Champion
from contracts.cut import Cut
from contracts.store import Store
from contracts.time.calendar import shift
from contracts.universe import universe
from serving.batch import predict
from training.__main__ import app
from training.bundle.bundle import Bundle, load
from training.bundle.checks import Leak
from training.bundle.codes import EncoderMissing, with_codes
from training.bundle.inputs import answers_of
from training.encoders.encoding import learn, register
from training.evidence.guards import require_blind
from training.evidence.walk import Learner
from training.experts.encoded_logistic import EncodedLogistic
from training.objective import OBJECTIVES
from training.recipe import RECIPES, recipe
from training.run import heard
from training.run.mlflow_api import Mlflow
from training.run.scope import Scope
from training.samples.folds import Fold, WalkForward
from training.samples.samples import Samples, from_matrix

TREND = OBJECTIVES.get("trend")
FEATURES = ("momentum", "volatility", "mood")
Make = Callable[..., pa.Table]


def test_in_its_fold_the_encoder_sees_neither_truth_nor_later_rows(matrix: Make) -> None:
    learner = Learner(EncodedLogistic(), TREND)

    def pipeline(samples: Samples, fold: Fold) -> Any:
        return learner.answer(samples.take(fold.train), samples.take(fold.test)).values

    require_blind(pipeline, matrix(), WalkForward(count=2))


def test_codes_are_terms_of_the_sums_and_go_back_to_what_moves_them(samples: Samples) -> None:
    fitted = EncodedLogistic(width=2).fit(samples, TREND.head)
    windows = samples.windows(1)[:40]
    why = fitted.explain(windows, np.zeros((1, 3), np.float32))
    assert TREND.head.from_scores(why.sum(axis=2)) == pytest.approx(fitted.forecast(windows))
    # By differences: the codes move with the features as the slopes say.
    rows, step = fitted.scaler.apply(samples.values[:5]), 1e-6
    for place in range(3):
        there, here = (fitted.down.apply(rows + s * np.eye(3)[place]) for s in (step, -step))
        found = (there - here) / (2 * step)
        assert fitted.down.slopes(rows)[:, :, place] == pytest.approx(found, abs=1e-6)


@pytest.fixture
def encoded(market: Callable[..., Scope]) -> Callable[[int], Scope]:
    """A scope that hears an encoder which has learnt until so many sessions after the first."""

    def make(after: int) -> Scope:
        scope = market()
        whole = scope._matrix(None, scope.view, scope.cut.since(first(scope)), "")  # type: ignore[arg-type]
        moment = np.unique(whole["as_of"].to_numpy())[after].astype("datetime64[us]").item()
        rows = from_matrix(whole).values
        until = moment.replace(tzinfo=UTC)
        made = learn("autoencoder", 2, scope.view.hash, FEATURES, (rows, until))
        own = replace(scope.recipe, features=FEATURES, encoder=register(made))
        return replace(scope, recipe=own)

    return make


def first(scope: Scope) -> Any:
    return scope._first(None)  # type: ignore[arg-type]


def test_a_registered_encoders_numbers_are_features_of_a_recipe(
    encoded: Callable[[int], Scope],
) -> None:
    scope = encoded(30)
    found = heard.training(None, scope)  # type: ignore[arg-type]
    version = scope.recipe.encoder
    assert found.features == (*FEATURES, f"{version}:0", f"{version}:1")
    known = np.isfinite(found.column(f"{version}:1"))
    moment = np.unique(found.as_of)[30]
    assert (known == (found.as_of > moment)).all(), "null up to what taught it, told after it"


def test_an_encoder_that_has_seen_what_is_to_be_foretold_is_refused(
    encoded: Callable[[int], Scope],
) -> None:
    # 140 sessions to train on, the first of two folds tests from the 57th on.
    heard.training(None, encoded(55))  # type: ignore[arg-type]
    for breach in (56, 120):
        with pytest.raises(Leak, match=r"the encoder has learnt up to .* is no forecast"):
            heard.training(None, encoded(breach))  # type: ignore[arg-type]


def test_any_recipe_takes_one_by_its_version(encoded: Callable[[int], Scope]) -> None:
    found = recipe("demo:autoencoder-0123456789ab")
    assert (found.name, found.encoder) == (
        "demo:autoencoder-0123456789ab",
        "autoencoder-0123456789ab",
    )
    assert replace(found, name="demo", encoder="") == recipe("demo") == RECIPES.get("demo")
    scope = encoded(30)
    lost = replace(scope, recipe=replace(scope.recipe, encoder="pca-0123456789ab"))
    with pytest.raises(EncoderMissing, match="python -m training encoder"):
        heard.training(None, lost)  # type: ignore[arg-type]


def test_columns_are_the_same_row_by_row_as_all_at_once(matrix: Make) -> None:
    whole = matrix(60)
    values = from_matrix(whole).values
    until = datetime(2025, 5, 1, tzinfo=UTC)
    version = register(learn("autoencoder", 2, "0" * 16, FEATURES, (values, until)))
    asked = whole.select(["as_of", *FEATURES])
    together = with_codes(asked, version, "0" * 16)
    alone = pa.concat_tables(
        with_codes(asked.slice(row, 1), version, "0" * 16) for row in range(len(asked))
    )
    for name in together.column_names[-2:]:
        found, wanted = (table[name].to_numpy() for table in (alone, together))
        assert found == pytest.approx(wanted, rel=1e-6, abs=1e-7, nan_ok=True)
        assert np.isfinite(wanted).any() and np.isnan(wanted).any()
        assert together[name].null_count == np.isnan(wanted).sum()
    assert with_codes(asked.slice(0, 0), version, "0" * 16).num_rows == 0
    with pytest.raises(EncoderMissing, match="expected an encoder of the view 1111"):
        with_codes(asked, version, "1" * 16)
    objects.put(f"encoders/{version}.json", b"{}")
    with pytest.raises(EncoderMissing, match="was changed"):
        with_codes(asked, version, "0" * 16)


@pytest.mark.integration
def test_a_bundle_with_an_encoder_answers_online_as_offline(
    store: Store, tracking: Mlflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = placed(store, monkeypatch, 420, 60, ["market_3"])
    toy = replace(recipe("demo"), name="toy", view="market_3", experts=("logistic",), tuned=())
    toy = replace(toy, fixed={}, cut=WalkForward(count=2))
    monkeypatch.setitem(RECIPES._members, "toy", toy)
    early = shift("XNYS", place.session, -280)
    options = ("--snapshot", str(place.snapshot), "--held-out", "20", "--width", "3")
    versions = [
        ran(app, "encoder", "--session", str(day), *options).splitlines()[-1]
        for day in (early, place.session)
    ]
    asked = ("fit", "--expert", "logistic", *place.now, "--recipe")
    with pytest.raises(Leak, match="name one that learnt until a session before them"):
        ran(app, *asked, f"toy:{versions[1]}")
    hashed = ran(app, *asked, f"toy:{versions[0]}").splitlines()[-1]
    kept = load(hashed)
    assert kept.manifest.encoder == versions[0]
    assert kept.manifest.features[-3:] == tuple(f"{versions[0]}:{i}" for i in range(3))
    assert (kept.model.weights[:, -3:] != 0).any(), "they were learnt from"  # type: ignore[attr-defined]

    for verb in ("zero", "ensemble", "evidence", "contest", "promote"):
        told = ran(app, verb, *place.now, "--recipe", f"toy:{versions[0]}")
    assert "ledger rows added" in told, "the whole life, by the name of the recipe"
    asked_online_as_offline(store, place, kept)
    objects.remove(f"encoders/{versions[0]}.json")
    with pytest.raises(EncoderMissing, match="in the object store"):
        kept.require_view()


def asked_online_as_offline(store: Store, place: Place, kept: Bundle) -> None:
    # Online: a session at a time, as facts come. Offline: all rows of the ten sessions at once.
    who = Champion("p", "sim20", "trend_1", kept.hash, "m", 1, "test", datetime.now(UTC))
    days = Cut(universe(""), shift("XNYS", place.session, 1), place.later, place.snapshot).sessions
    for day in days:
        predict(store, who, kept, Cut(universe(""), day, day, place.snapshot), datetime.now(UTC))
    whole = Cut(universe(""), days[0], days[-1], place.snapshot)
    offline = answers_of(store, whole, "x", kept.hash).to_pylist()
    found = store.query(
        "SELECT instrument_id, as_of, p_up FROM predictions WHERE bundle = %s", (kept.hash,)
    ).to_pylist()
    online = {(row["instrument_id"], row["as_of"]): row["p_up"] for row in found}
    assert len(online) == len(offline) == 80
    for row in offline:
        assert online[row["instrument_id"], row["as_of"]] == pytest.approx(row["x.p_up"], abs=1e-6)
