"""What forecasts rest on: made with them by the batch, kept beside them, read by their ids."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from contracts.store import Store
from contracts.tables import EXPLANATIONS
from training.bundle.bundle import Bundle, Explained
from training.bundle.inputs import of_view
from training.forecast import Values

# Features by name; the rest of them is one number, so that the sum stays whole.
SHOWN = 12

_KEPT = """
SELECT p.prediction_id, p.universe, p.target, p.symbol, p.session, p.horizon, p.as_of,
  p.bundle, p.model_version, p.origin, p.forecast, p.signal, e.parts, e.given, e.news
FROM predictions p LEFT JOIN explanations e USING (prediction_id) WHERE p.prediction_id = %s
"""


def explanations(
    bundle: Bundle, windows: Values, ids: Sequence[str], now: datetime
) -> pa.Table | None:
    """Rows of `explanations`, one for each of the forecasts `ids` of the windows (n, window, k).

    None where no model of the bundle explains itself.
    """
    found = bundle.explain(windows)
    if not found:
        return None
    features = bundle.manifest.features
    news = [name for name in features if name in _of_news(features)]
    rows = []
    for i, (name, window) in enumerate(zip(ids, windows, strict=True)):
        parts = [_part(one, i, bundle) for one in found]
        shown = {f for part in parts for said in part["said"].values() for f in said["features"]}
        newest = dict(zip(features, _plain(window[-1]), strict=True))
        written = {
            "parts": parts,
            "given": {feature: newest[feature] for feature in features if feature in shown},
            "news": {feature: newest[feature] for feature in news},
        }
        json = {key: orjson.dumps(value).decode() for key, value in written.items()}
        rows.append({"prediction_id": name, "explained_at": now} | json)
    return pa.Table.from_pylist(rows, schema=EXPLANATIONS.schema)


def explanation(store: Store, prediction_id: str) -> dict[str, Any] | None:
    """A forecast with what it rests on (`parts` is null where that was not kept); None: no such."""
    rows = store.query(_KEPT, (prediction_id,)).to_pylist()
    if not rows:
        return None
    json = ("forecast", "parts", "given", "news")
    read = {name: orjson.loads(rows[0][name] or "null") for name in json}
    return {**rows[0], **read}


def _part(one: Explained, i: int, bundle: Bundle) -> dict[str, Any]:
    return {
        "model": one.name,
        "method": one.model.method,
        "scale": one.model.scale,
        "said": dict(_said(one.adds[i], bundle.manifest.asked.columns, bundle.manifest.features)),
    }


def _said(
    adds: np.ndarray[Any, np.dtype[np.float64]], columns: Sequence[str], features: Sequence[str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    # What a model answers with one score the head may make several columns of.
    names = columns if len(columns) == len(adds) else [str(k) for k in range(len(adds))]
    for column, row in zip(names, adds, strict=True):
        largest = np.argsort(-np.abs(row[:-1]), kind="stable")[:SHOWN]
        shown = {features[k]: float(row[k]) for k in largest if row[k]}
        yield (
            column,
            {
                "base": float(row[-1]),
                "features": shown,
                "rest": float(row[:-1].sum() - sum(shown.values())),
                "total": float(row.sum()),
            },
        )


def _plain(values: Values) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def _of_news(features: Sequence[str]) -> set[str]:
    """Those that are made of headlines."""
    from features.feature import find
    from features.input import INPUTS

    told = set(INPUTS.get("news").columns)
    return {name for name in features if of_view(name) and told & find(name).columns}
