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
from training.bundle.manifest import BundleError


class NothingForetold(Expected, LookupError):
    """No champion of a universe has a forecast of a symbol; the message says who has which."""


def spoken(store: Store, universe: str, symbol: str) -> Iterator[str]:
    """Lines of what each champion of the universe foretells of the symbol, the newest of each.

    Raises NothingForetold.
    """
    now, found, gone = datetime.now(UTC), [], []
    held = [one for office in offices(store, universe) if (one := champion(store, office))]
    for one in held:
        row = decided_by(store, one.bundle, [symbol], now).get(symbol)
        if row is None:
            continue
        try:
            found.append((_view(one, {symbol: row}), row))
        except BundleError as error:  # One champion's fault is not the others'.
            gone.append(f"  {one.target}: not told, {error}")
    if not found and not gone:
        targets = ", ".join(one.target for one in held) or "nobody"
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
    yield from gone


def _view(held: Champion, rows: Mapping[str, Any]) -> View:
    manifest = manifest_of(held.bundle)
    manifest.require_answerable()
    return View(held, manifest, "", rows)


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
