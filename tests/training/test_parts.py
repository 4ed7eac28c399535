"""A signal that hears parts of other targets: trained, issued, settled, and with a part missing."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from places import Place, placed, ran

from contracts import objects
from contracts.champion import Champion, Office, champion
from contracts.cut import Cut
from contracts.store import Store
from contracts.time.calendar import shift
from contracts.universe import universe
from monitoring.__main__ import app as monitoring
from serving.batch import predict
from training.__main__ import app as training
from training.bundle.bundle import load, manifest_of
from training.bundle.checks import Leak
from training.objective import OBJECTIVES
from training.recipe import RECIPES, Member, Recipe, recipe
from training.run.mlflow_api import Mlflow
from training.run.records import StepMissing, read_evidence
from training.samples.folds import WalkForward

pytestmark = pytest.mark.integration

UNIVERSE = "sim20"
PARTS = {"trend", "return", "volatility"}
CHANCES = ("p_down", "p_neutral", "p_up")
COLUMNS = {"score", "position", "abstention", "size"}
GROUNDS = {"mode", "weights", "entropy", "inputs", "reason", "notices"}


@pytest.fixture
def place(store: Store, tracking: Mlflow, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A small simulated market whose texts say nothing, with what all recipes learn from."""
    return placed(store, monkeypatch, 600, 150, views())


def views() -> list[str]:
    return sorted({toy.view for toy in toys()})


def toys() -> tuple[Recipe, ...]:
    """The demo's recipes with the quickest of their experts."""
    quick = {"tuned": (), "fixed": {}, "permutations": 1, "cut": WalkForward(count=3)}
    trend = replace(recipe("demo"), name="toy_trend", experts=("logistic",), **quick)
    volatility = replace(
        recipe("demo_volatility"), name="toy_volatility", experts=("har",), **quick
    )
    quick |= {"fixed": {"quantile_trees": {"rounds": 40}}}
    returns = replace(
        recipe("demo_return"), name="toy_return", experts=("quantile_trees",), **quick
    )
    parts = {"trend": Member("toy_trend"), "return": Member("toy_return")}
    parts |= {"volatility": Member("toy_volatility", "har")}
    signal = replace(recipe("demo_signal"), name="toy_signal", parts=parts)
    return trend, returns, volatility, signal


def steps(place: Place, name: str, *verbs: str) -> str:
    asked, told = ("--recipe", name, *place.now), ""
    for verb in verbs:
        told = ran(training, *verb.split(), *asked)
    return told


def test_a_signal_hears_its_parts_from_training_to_truth(
    store: Store, tracking: Mlflow, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for toy in toys():
        monkeypatch.setitem(RECIPES._members, toy.name, toy)
    # Before its parts nothing can be trained, and the error says which.
    with pytest.raises(StepMissing, match="hears soft of the recipe toy_trend, which was not"):
        ran(training, "zero", *place.now, "--recipe", "toy_signal")
    steps(place, "toy_trend", "fit --expert logistic", "ensemble")
    steps(place, "toy_return", "fit --expert quantile_trees", "ensemble")
    steps(place, "toy_volatility", "fit --expert har")
    a_part_that_knows_the_rows_is_not_heard(place)
    told = steps(place, "toy_signal", "zero", "tune", "fit --expert gate", "ensemble")
    gate = told.split()[-1]
    told = steps(place, "toy_signal", "evidence", "contest", "promote")
    assert "ledger rows added" in told
    evidence = read_evidence(gate)
    assert evidence and {"hold", "equal_weights"} <= set(evidence.scores)

    # Zero holds; the same bundle is the same, however often it is made.
    office = Office(UNIVERSE, "signal")
    first = champion(store, office)
    assert first and steps(place, "toy_signal", "fit --expert gate", "ensemble").split()[-1] == gate
    manifest = manifest_of(gate)
    fits = {"trend": "toy_trend_{}_soft", "volatility": "toy_volatility_{}_har"}
    fits |= {"return": f"toy_return_{{}}_{recipe('demo_return').ensemble}"}
    place_of = f"{place.session}_{place.snapshot}"
    for name, key in fits.items():
        kept = json.loads(objects.get(f"fits/{UNIVERSE}_{key.format(place_of)}.json"))
        assert manifest.parts[name] == kept["bundle"]
    quantiles = (f"return.{c}" for c in OBJECTIVES.get("return").columns)
    wanted = (*(f"trend.{c}" for c in CHANCES), *quantiles, "volatility.volatility")
    assert manifest.features[5:] == wanted
    made = json.loads(ran(training, "score-text", "--inputs", *place.now).splitlines()[-1])["views"]
    assert made == ",".join(views()), "the views of the parts are made as well"

    issued(store, place, replace(first, bundle=gate))
    parts_are_heard(store, gate)
    what_each_part_adds_is_kept(store, gate)
    settled(store, place, gate)


def a_part_that_knows_the_rows_is_not_heard(place: Place) -> None:
    key = f"walks/{UNIVERSE}_toy_volatility_{place.session}_{place.snapshot}_har.parquet"
    whole = objects.get(key)
    said = pq.read_table(pa.BufferReader(whole))
    late = pa.array(np.full(len(said), np.datetime64(place.later, "us")))
    buffer = pa.BufferOutputStream()
    planted = said.set_column(said.column_names.index("learnt"), "learnt", late)
    pq.write_table(planted.replace_schema_metadata(said.schema.metadata), buffer)
    objects.put(key, buffer.getvalue().to_pybytes())
    with pytest.raises(Leak, match="are in-fold"):
        ran(training, "zero", *place.now, "--recipe", "toy_signal")
    objects.put(key, whole)


def issued(store: Store, place: Place, who: Champion) -> None:
    """Two sessions by the gate; for the second one a part is gone."""
    cut = Cut.at(universe(""), place.session, place.snapshot)
    asked = load(who.bundle)
    assert predict(store, who, asked, cut.until(cut.last), datetime.now(UTC)) == 8
    objects.put(f"bundles/{asked.manifest.parts['volatility']}/manifest.json", b"{}")
    late = Cut.at(universe(""), shift("XNYS", place.session, 1), place.snapshot)
    assert predict(store, who, asked, late, datetime.now(UTC)) == 8


def parts_are_heard(store: Store, gate: str) -> None:
    rows = predictions(store, gate)
    assert len(rows) == 16
    for place, row in enumerate(rows):
        said = json.loads(row["forecast"])
        assert set(said) == COLUMNS | GROUNDS
        assert said["size"] == abs(said["position"]) and said["mode"] == "softmax"
        assert set(said["weights"]) == set(said["inputs"]) == PARTS
        assert sum(said["weights"].values()) == pytest.approx(1.0)
        assert sum(said["inputs"]["trend"].values()) == pytest.approx(1.0, abs=1e-5)
        assert set(said["inputs"]["trend"]) == set(CHANCES)
        word = {1.0: "buy", -1.0: "sell", 0.0: "hold"}[float(np.sign(said["position"]))]
        assert row["signal"] == word
        told = ["without volatility, which says nothing"] if place >= 8 else []
        assert said["notices"] == told
        assert (said["inputs"]["volatility"] is None) == (place >= 8)
        answer = OBJECTIVES.get("signal").answer({**row, **said})
        assert set(answer) == {"signal", "size", "score"} | GROUNDS - {"entropy"}


def what_each_part_adds_is_kept(store: Store, gate: str) -> None:
    asked = (
        "SELECT e.* FROM explanations e JOIN predictions USING (prediction_id) WHERE bundle = %s"
    )
    rows = store.query(asked, (gate,)).to_pylist()
    assert len(rows) == 16
    for row in rows:
        [part] = json.loads(row["parts"])
        assert (part["model"], part["method"]) == ("gate", "gate_weights")
        added = {name.split(".")[0] for name in part["said"]["score"]["features"]}
        assert added and added <= PARTS


def settled(store: Store, place: Place, gate: str) -> None:
    """A total return is the truth of every signal, whoever issued it."""
    when = ("--session", str(place.later), "--snapshot", str(place.snapshot), "--sessions", "15")
    assert ran(monitoring, "settle", *when).splitlines()[-1] == "16"
    asked = (
        "SELECT value, o.total_return, label FROM outcomes o JOIN predictions USING (prediction_id)"
        " WHERE bundle = %s"
    )
    rows = store.query(asked, (gate,)).to_pylist()
    assert len(rows) == 16
    assert all(r["label"] is None and r["value"] == pytest.approx(r["total_return"]) for r in rows)


def predictions(store: Store, bundle: str) -> list[dict[str, Any]]:
    asked = "SELECT * FROM predictions WHERE bundle = %s ORDER BY session, symbol"
    return store.query(asked, (bundle,)).to_pylist()
