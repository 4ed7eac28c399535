"""Forecasts in words, for people at a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from contracts.champion import Champion, champion, offices
from contracts.expected import Expected
from contracts.store import Store
from serving.served.served import View, data_origin, decided_by
from serving.served.state import ABOUT, foretold
from training.bundle.bundle import manifest_of


class NothingForetold(Expected, LookupError):
    """No champion of a universe has a forecast of a symbol; the message says who has which."""


def spoken(store: Store, universe: str, symbol: str) -> Iterator[str]:
    """Lines of what each champion of the universe foretells of the symbol, the newest of each.

    Raises NothingForetold.
    """
    now, found = datetime.now(UTC), []
    held = [champion(store, office) for office in offices(store, universe)]
    for one in (each for each in held if each is not None):
        row = decided_by(store, one.bundle, [symbol], now).get(symbol)
        if row is not None:
            found.append((_view(one, {symbol: row}), row))
    if not found:
        targets = ", ".join(one.target for one in held if one is not None) or "nobody"
        raise NothingForetold(
            f"no champion of {universe} ({targets}) has a forecast of {symbol!r}: name another "
            "--universe, or run `python -m serving predict`"
        )
    yield f"{symbol} in {universe} ({data_origin(store)} data)"
    for view, row in sorted(found, key=lambda one: (one[0].manifest.objective, one[1]["horizon"])):
        told = foretold(view, row)
        known = {n: v for n, v in told.items() if n not in ABOUT and v not in (None, "", [])}
        said = "  ".join(_word(name, value) for name, value in known.items())
        yield f"  {row['target']}: {said}"
        yield (
            f"    over {row['horizon']} session(s), decided {row['as_of']:%Y-%m-%d %H:%M} UTC by "
            f"version {view.champion.model_version}, prediction {row['prediction_id']}"
        )


def _view(held: Champion, rows: Mapping[str, Any]) -> View:
    return View(held, manifest_of(held.bundle), "", rows)


def _word(name: str, value: object) -> str:
    return f"{name} {number(value)}"


def number(value: object) -> str:
    """A number below 1 is a share."""
    if isinstance(value, float):
        return f"{value:.2%}" if abs(value) < 1 else f"{value:,.2f}"
    if isinstance(value, Mapping):
        return ", ".join(_word(str(name), each) for name, each in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " to ".join(map(number, value))
    return str(value)
