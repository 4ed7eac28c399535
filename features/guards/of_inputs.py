"""The guards that every panel input passes, on facts that its sample makes up.

A guard says whether an input breaks it.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl

from contracts.tables import ACTIONS, MEMBERSHIPS, SYMBOLS
from features.facts.facts import PRICES, Facts
from features.facts.needs import ROWS, frame_of
from features.facts.panels import decision_panel
from features.guards.hindsight import KEY, Hindsight, refuse_hindsight
from features.guards.trial import made_columns, made_sample
from features.input import INPUTS, Known, PanelInput, Sample
from features.inputs.adjust import NUMBERS

ROWS_MADE, FIRST = 70, 20
InputGuard = Callable[[PanelInput, Facts], bool]


def made_facts(one: PanelInput) -> Facts:
    """Bars of three instruments, one of them restated, and what the input makes up of them."""
    made = made_sample(rows=ROWS_MADE)
    about = pl.Series(made.session).to_list()
    closes = pl.Series(made.as_of).dt.replace_time_zone("UTC").to_list()
    drawn = made_columns(INPUTS.get("bars"), made)
    bars = [
        {"instrument_id": name, "session": day, "event_time": close, "known_at": close}
        | {column: float(drawn[column][place * ROWS_MADE + row]) for column in NUMBERS}
        for place, name in enumerate(made.instruments)
        for row, (day, close) in enumerate(zip(about, closes, strict=True))
    ]
    bars.insert(41, bars[40] | {"known_at": closes[43], "close": bars[40]["low"]})
    listed = {"valid_from": about[0], "valid_to": None, "known_at": closes[0]}
    return Facts(
        first=about[FIRST],
        end=closes[-1],
        members=_listed(MEMBERSHIPS.names, made, listed),
        symbols=_listed(SYMBOLS.names, made, listed),
        bars=pl.DataFrame(bars).with_columns(
            start_time=pl.lit(None, pl.Datetime("us", "UTC")),
            source=pl.lit("made"),
            adjustment=pl.lit("none"),
            interval=pl.lit("1d"),
        ),
        actions=frame_of(ACTIONS.schema.empty_table()),
        interval="1d",
        known=_known(one, made),
    )


def _listed(names: tuple[str, ...], made: Sample, about: dict[str, object]) -> pl.DataFrame:
    rows = [
        {"instrument_id": name, "symbol": name, "universe": "made"} for name in made.instruments
    ]
    schema = {"valid_to": pl.Date}
    frame = pl.DataFrame([row | about for row in rows], schema_overrides=schema)
    return frame.select(names).with_columns(calendar=pl.lit(made.calendar))


def _known(one: PanelInput, made: Sample) -> dict[str, Known]:
    facts = one.sample.facts
    return {} if one.name in PRICES else {one.name: facts(made) if facts else {}}


def columns_of(one: PanelInput, facts: Facts) -> pl.DataFrame:
    """The input's columns at each decision of the facts: KEY and the columns."""
    panel = decision_panel(facts, ROWS_MADE)
    rows = panel.decided
    names = np.array(panel.instruments, dtype=object)[panel.segment[rows]].tolist()
    keys = {"instrument_id": pl.Series(names, dtype=pl.String), "as_of": panel.as_of[rows]}
    values = {name: panel.columns[name][rows] for name in one.columns}
    return pl.DataFrame(keys | values).sort(KEY)


def sampled(one: PanelInput, facts: Facts) -> bool:
    """What it needs is made up, and gives values in every column: else nothing is tried."""
    if one.sample.facts is None and any(need.table not in ROWS for need in one.needs):
        return True
    found = columns_of(one, facts)
    return bool(any(np.isnan(found[name].to_numpy()).all() for name in one.columns))


def hindsight(one: PanelInput, facts: Facts) -> bool:
    """A row holds only what was known at its close; prices are free in their scale."""
    if one.name in PRICES or one.ahead:
        return False
    closes = facts.bars["event_time"].unique().sort()
    try:
        refuse_hindsight(
            lambda then: columns_of(one, then), facts, closes[[-45, -30, -28, -3]].to_list()
        )
    except Hindsight:
        return True
    return False


def alone(one: PanelInput, facts: Facts) -> bool:
    """Where nothing is told of the others it is the same, bars of all that make a market apart."""
    made = made_sample(rows=ROWS_MADE)
    own = replace(facts, known=_known(one, replace(made, instruments=made.instruments[:1])))
    first = pl.col("instrument_id") == made.instruments[0]
    return not _same(*(columns_of(one, told).filter(first) for told in (facts, own)))


def back(one: PanelInput, facts: Facts) -> bool:
    """The last session from its last rows and what its needs reach back to, as it is online."""
    sessions = facts.bars["session"].unique().sort()
    few = facts.bars.filter(pl.col("session") >= sessions[-5])
    begin = few["event_time"].sort()[0]
    reach = {need.table.name: need.back for need in one.needs}

    def cut(name: str, frame: pl.DataFrame) -> pl.DataFrame:
        since = reach.get(name)
        if since is None or "event_time" not in frame.columns:
            return frame
        return frame.filter(pl.col("event_time") >= begin - since)

    known = {w: {n: cut(n, x) for n, x in frames.items()} for w, frames in facts.known.items()}
    online = columns_of(one, replace(facts, first=sessions[-1], bars=few, known=known))
    batch = columns_of(one, facts).filter(pl.col("as_of") == online["as_of"].max())
    return one.name not in PRICES and not _same(online, batch)


def _same(one: pl.DataFrame, other: pl.DataFrame) -> bool:
    names = one.columns[len(KEY) :]
    return one.select(KEY).equals(other.select(KEY)) and all(
        np.allclose(one[n].to_numpy(), other[n].to_numpy(), 1e-9, 1e-9, equal_nan=True)
        for n in names
    )


INPUT_GUARDS: dict[str, InputGuard] = {
    guard.__name__: guard for guard in (sampled, hindsight, alone, back)
}


def input_broken(one: PanelInput) -> list[str]:
    """The guards that an input breaks; raises what its function raises."""
    facts = made_facts(one)
    if sampled(one, facts):
        return [sampled.__name__]
    return [name for name, guard in INPUT_GUARDS.items() if guard(one, facts)]
