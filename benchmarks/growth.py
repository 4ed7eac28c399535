"""How long the watchers look at tables that have grown, against a real Postgres.

    python benchmarks/growth.py [--requests 10000000] [--predictions 5000000]

The exporter's look (every ten seconds), the predictor's (every two) and the lookup of earlier
forecasts, first with a market of three symbols alone, then with as many rows as asked. A fifth of
the forecasts are the champion's, half of those are settled. Medians of five; the first look after
the growth, which sums up what is new, stands apart, and so does one after one session more was
settled.
"""

import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import typer

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "fixtures"), str(ROOT / "infra" / "local")]

REQUESTS = """
INSERT INTO requests SELECT md5(g::text), now() - g * interval '0.5 second', 'POST', '/predict',
  200, 0.001, '["SIM001"]', 'sim20', 1, 'desk' FROM generate_series({first}, {last}) g
"""
PREDICTIONS = """
INSERT INTO predictions (prediction_id, bundle, target, forecast, model_version, universe,
  instrument_id, symbol, session, horizon, as_of, snapshot, p_down, p_neutral, p_up, signal, origin,
  issued_at)
SELECT md5('{bundle}' || g), '{bundle}', 'trend_1',
  jsonb_build_object('p_down', 0.3, 'p_neutral', 0.4, 'p_up', 0.3), 1, 'sim20',
  'I' || g % 500, 'I' || g % 500,
  date '2025-06-27' - g / 500, 1, timestamptz '2025-06-27 20:00+00' - g / 500 * interval '1 day',
  7, 0.3, 0.4, 0.3, 'hold', 'live', now() FROM generate_series(0, {rows} - 1) g
"""
OUTCOMES = """
INSERT INTO outcomes (prediction_id, version, label, total_return, delisted, settled_at, snapshot,
  recorded_at)
SELECT prediction_id, 1, 1, 0.0, false, now(), 7, now()
FROM predictions WHERE bundle = '{bundle}' AND {which}
"""
HALF = "extract(day FROM session)::int % 2 = 0"
ONE_MORE = "session = date '2025-06-23'"
AT_ONCE = 1_000_000


def seconds(ask: Callable[[], object], times: int = 5) -> float:
    """The median time of a call."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def main(requests: int = 10_000_000, predictions: int = 5_000_000) -> None:
    """Print the times before and after."""
    import os

    import postgres
    from market import FLAT, Market

    from contracts.settings import settings
    from contracts.store import Store
    from monitoring.export.exporter import Exporter
    from monitoring.office.wake import Waker
    from serving.edge.metrics import Metrics
    from serving.served.served import decided_by, newest
    from serving.served.watch import Watch
    from training.bundle import bundle
    from training.run.mlflow_api import Mlflow

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with postgres.running(folder, durable=False) as url:
            os.environ |= {"FINPULSE_HOME": str(folder / "home"), "FINPULSE_DATABASE_URL": url}
            settings.cache_clear()
            store, market = Store(url), Market()
            store.migrate()
            served = market.crown(store, FLAT, 1)
            exporter = Exporter(store, Mlflow("http://127.0.0.1:1"), Waker(None), market.universe)
            watch = Watch(store, market.universe, bundle.load, Metrics())
            then = datetime(2025, 6, 20, 20, tzinfo=UTC)
            names = [f"I{n}" for n in range(500)]
            asks: dict[str, Callable[[], object]] = {
                "exporter's counts": exporter.look_at_tables,
                "exporter's sums": exporter.look_at_sums,
                "predictor's look": watch.poll,
                "newest forecasts": lambda: newest(store, market.champion(served, 1)),
                "500 earlier forecasts": lambda: decided_by(store, served.hash, names, then),
            }
            before = {name: seconds(ask) for name, ask in asks.items()}
            grow(store, served.hash, requests, predictions)
            first = {name: seconds(ask, 1) for name, ask in asks.items()}
            after = {name: seconds(ask) for name, ask in asks.items()}
            run(store, OUTCOMES.format(bundle=served.hash, which=ONE_MORE))
            more = seconds(exporter.look_at_sums, 1)
    print(f"{requests} requests, {predictions} forecasts\n")
    show({name: (before[name], first[name], after[name]) for name in asks}, more)


def show(times: dict[str, tuple[float, ...]], more: float) -> None:
    """Print a table of seconds, and the most memory that was held."""
    print("| | small, ms | grown, first, ms | grown, ms |\n|---|---|---|---|")
    for name, taken in times.items():
        print(f"| {name} | {' | '.join(f'{1000 * s:.1f}' for s in taken)} |")
    print(f"| exporter's sums, a session more | | {1000 * more:.1f} | |")
    print(f"\n{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB at most")


def grow(store: object, served: str, requests: int, predictions: int) -> None:
    """Add the rows, and let the server know its tables as autovacuum would."""
    for first in range(0, requests, AT_ONCE):
        run(store, REQUESTS.format(first=first, last=min(first + AT_ONCE, requests) - 1))
    part = predictions // 5
    for name in (served, *(f"former{n}" for n in range(40))):
        rows = part if name == served else (predictions - part) // 40
        run(store, PREDICTIONS.format(bundle=name, rows=rows))
    run(store, OUTCOMES.format(bundle=served, which=HALF), "VACUUM ANALYZE")


def run(store: object, *statements: str) -> None:
    """Run statements as the owner, each by itself."""
    import psycopg2

    connection = psycopg2.connect(store.url)  # type: ignore[attr-defined]
    connection.autocommit = True
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.close()


if __name__ == "__main__":
    typer.run(main)
