"""A release rehearsed: `make release-drill`, on services of its own that end with it.

A champion is served by two workers under load and counted by a Prometheus. A challenger that is
biased, one whose forecasts are none and one that computes too long are sent away by the gate; a
sound one goes through shadow, 10 %, 50 % into office and is rolled back again. Callers notice
nothing but another version.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 150


@dataclass
class Told:
    """What happened: (seconds since the start, what, outcome, why)."""

    began: float = field(default_factory=time.monotonic)
    rows: list[tuple[str, str, str, str]] = field(default_factory=list)

    def add(self, what: str, outcome: str, why: str) -> None:
        """Note it, and say it at once."""
        at = f"{time.monotonic() - self.began:.0f} s"
        self.rows.append((at, what, outcome, why))
        print(f"{at:>6}  {what}: {outcome}", flush=True)


@contextmanager
def _stage() -> Iterator[Any]:
    """A game day on a database, a predictor and a Prometheus of its own."""
    import postgres

    with tempfile.TemporaryDirectory(prefix="release-drill-") as scratch:
        folder = Path(scratch)
        with postgres.running(folder / "postgres", durable=False) as url:
            database = url.rsplit("/", 1)[0] + "/drill"
            postgres.create_database(url, "drill")
            for key in [k for k in os.environ if k.startswith("FINPULSE_")]:
                del os.environ[key]
            os.environ["FINPULSE_HOME"] = str(folder / "home")
            os.environ["FINPULSE_DATABASE_URL"] = database
            from game_day import game_day  # type: ignore[import-not-found]

            from contracts.store import Store

            store = Store(database)
            store.migrate()
            with game_day(store, folder) as day:
                yield day


def _poisoned(day: Any, told: Told) -> None:
    import game_day

    market = day.market
    for what, bundle, spoilt in (
        ("a biased challenger", market.prior(game_day.BIASED), {}),
        ("one whose forecasts are none", market.prior((0.3, 0.41, 0.29)), game_day.nothing_said()),
        ("one that computes too long", game_day.slow(market, game_day.CHAMPION), {}),
    ):
        release, began = day.stage(bundle), time.monotonic()
        if spoilt:
            day.spoil(release, bundle, **spoilt)
        else:
            day.forecast(release, bundle)
        last = day.until("out")[0]
        took = time.monotonic() - began
        told.add(what, f"{last.verdict} after {took:.1f} s", last.reason)


def _sound(day: Any, told: Told) -> None:
    import game_day
    from predictor import wait_for  # type: ignore[import-not-found]

    from training.steps.rollback import roll_back

    bundle = day.market.prior(game_day.SOUND)
    release = day.stage(bundle)
    day.forecast(release, bundle)
    for row in reversed(day.until("office", 180)):
        if row.verdict == "PROMOTE":
            told.add("a sound challenger", f"PROMOTE to {row.stage} {row.share:.0%}", row.reason)
    wait_for(lambda: day.answers_now() == {release.model_version})
    told.add("its callers", f"all by version {release.model_version}", "")
    began = time.monotonic()
    roll_back(day.store, day.office, bundle.hash, "the drill", datetime.now(UTC))
    wait_for(lambda: day.answers_now() == {1})
    told.add("rollback", f"all by version 1 after {time.monotonic() - began:.1f} s", "the drill")


def main() -> None:
    """Rehearse, print a table, and fail where a caller was failed."""
    from rich.console import Console
    from rich.table import Table

    if not shutil.which("prometheus"):
        sys.exit("no prometheus on this machine: install the package `prometheus`")
    sys.path[:0] = [str(ROOT / "tests" / "fixtures"), str(ROOT / "infra" / "local")]
    told = Told()
    with _stage() as day:
        told.add("version 1", "served by two workers, under load", "")
        _poisoned(day, told)
        _sound(day, told)
        answered, failed = sum(day.load.answers.values()), len(day.load.failures)
        slowest = day.load.slowest
    shown = Table("at", "what", "outcome", "why", title="What happened")
    for row in told.rows:
        shown.add_row(*row)
    Console(width=WIDTH).print(shown)
    print(f"{answered} calls answered, {failed} failed; the slowest took {1e3 * slowest:.0f} ms")
    if failed:
        sys.exit(f"callers were failed: {day.load.failures[0]}")


if __name__ == "__main__":
    main()
