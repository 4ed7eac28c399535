"""Labels of a universe's decisions: bases as known then, outcomes as known now."""

import numpy as np
import polars as pl

from contracts.store import Store
from features.facts.facts import Facts
from features.facts.panels import decision_panel, newest_panel
from features.label import Label
from features.matrix.session_minutes import Minutes
from features.panel.panel import Panel
from features.panel.series import Values

KEY = ["session", "instrument_id", "as_of"]


def keys_of(panel: Panel) -> pl.DataFrame:
    """The decided rows' session, instrument and moment."""
    rows = panel.decided
    return pl.DataFrame(
        {
            "instrument_id": pl.Series(panel.instruments, dtype=pl.String).gather(
                panel.segment[rows]
            ),
            "session": panel.session[rows],
            "as_of": panel.as_of[rows],
        },
        schema={"instrument_id": pl.String, "session": pl.Date, "as_of": pl.Datetime("us")},
    ).with_columns(pl.col("as_of").dt.replace_time_zone("UTC"))


def own_close(panel: Panel) -> pl.Series:
    """The close of each decided row in the shares of its own time: as it was quoted."""
    shares = np.ones(len(panel.session)) if panel.shares is None else panel.shares
    return pl.Series((panel.columns["close"] * shares)[panel.decided])


def labels_of(store: Store, facts: Facts, snapshot: int, rule: Label) -> pl.DataFrame:
    """Labels of the decided rows: KEY, and what `load_matrix` puts beside the features."""
    then, now = decision_panel(facts, rule.reach), newest_panel(facts)
    of_then = rule.basis(then)
    basis = _known_now(rule, of_then, then, now)
    if facts.interval == "1d" and rule.version > 1:
        then, now = _with_minutes(store, facts, snapshot, rule, ((then, of_then), (now, basis)))
    beside = {
        name: pl.Series(values[then.decided]).fill_nan(None)
        for name, values in rule.beside(then).items()
    }
    decisions = keys_of(then).with_columns(**beside)
    outcome, rows = rule.settle(now, basis), now.decided
    known = pl.Series(outcome.settled[rows]) & (
        pl.Series(outcome.settled_at[rows]) <= facts.end.replace(tzinfo=None)
    )
    columns = {
        "label": _numbers(rule, outcome.value[rows]),
        "settled_at": pl.Series(outcome.settled_at[rows]).dt.replace_time_zone("UTC"),
        "total_return": pl.Series(outcome.total_return[rows]),
        "delisted": pl.Series(outcome.delisted[rows]),
        "ambiguous": pl.Series(outcome.ambiguous[rows]),
    }
    settled = {name: pl.when(known).then(column) for name, column in columns.items()}
    held = keys_of(now).join(decisions, on=KEY, how="left", maintain_order="left")
    return held.select(*KEY, *beside, **settled)


def _known_now(rule: Label, of_then: Values, then: Panel, now: Panel) -> Values:
    """The bases of `then`, (k, rows of now), null where `now` decides and `then` did not."""
    names = [f"basis_{place}" for place in range(len(of_then))]
    columns = dict(zip(names, of_then[:, then.decided], strict=True))
    decisions = keys_of(then).with_columns(**columns, close=own_close(then))
    held = keys_of(now).join(decisions, on=KEY, how="left", maintain_order="left")
    basis = np.full((len(names), len(now.session)), np.nan)
    if names:
        basis[:, now.decided] = held.select(names).fill_null(np.nan).to_numpy().T
    if rule.from_close and rule.version > 1:
        # A price that was known stays where it was when the close is restated.
        basis[:, now.decided] *= (held["close"].fill_null(np.nan) / own_close(now)).to_numpy()
    return basis


def _with_minutes(
    store: Store,
    facts: Facts,
    snapshot: int,
    rule: Label,
    panels: tuple[tuple[Panel, Values], tuple[Panel, Values]],
) -> tuple[Panel, Panel]:
    (then, of_then), (now, basis) = panels
    early, late = rule.open_rows(then, of_then), rule.open_rows(now, basis)
    days = np.unique(np.concatenate([then.session[early], now.session[late]])).tolist()
    if not days:
        return then, now
    minutes = Minutes.read(store, facts, snapshot, days)
    return minutes.told_by_the_close().beside(then, early), minutes.beside(now, late)


def _numbers(rule: Label, values: Values) -> pl.Series:
    found = pl.Series(values).fill_nan(None)
    return found.cast(pl.Int64) if rule.classes else found
