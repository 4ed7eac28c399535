"""The quality gate: Great Expectations over the staging tables; what fails stops what follows."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from contracts.database import copy
from contracts.database.connection import address
from contracts.expected import Expected
from contracts.store import Store
from contracts.tables import BARS
from contracts.universe import universe
from etl.batch.batch import Batch, manifest, stated_in
from etl.batch.staging import staged_tables
from etl.quality.data_docs import write_index
from etl.quality.expectations import BEFORE, SESSIONS, suite_of
from etl.quality.findings import lines, prepare
from etl.sessions import sheet, window

if TYPE_CHECKING:
    from great_expectations.data_context import AbstractDataContext

_SITE = "quality"
_KEPT = 30  # batches whose pages stay; each site carries some 4 MB of styles and fonts


class GateError(Expected, RuntimeError):
    """Staged rows fail the gate; the message names the tables and the expectations."""


def check(store: Store, batch: Batch, home: Path) -> tuple[int, str]:
    """Validate every staged table; returns (expectations that held, URL of the data docs).

    The HTML pages are written under `<home>/data_docs/<batch>`, on failure too. Raises GateError,
    NotCollected.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    tables = staged_tables(store, batch)
    folder = (home / "data_docs" / batch.id).absolute()
    _forget_oldest(folder.parent)
    with _reference(store, batch, tables):
        context = _context(folder)
        results = _validate(context, store.url, batch, tables)
        context.build_data_docs()
    url = f"file://{folder}/index.html"
    counts = {table: len(suite.results) for table, suite in results.items()}
    failed = {
        table: [_named(result) for result in suite.results if not result.success]
        for table, suite in results.items()
    }
    told = lines(store, batch)
    write_index(folder, str(batch), counts, failed, told)
    listed = [f"{table}: {words}" for table, said in failed.items() for words in said]
    if listed:
        shown = "\n  ".join([*listed, *told])
        raise GateError(f"{batch}: {len(listed)} expectations failed, see {url}\n  {shown}")
    return sum(counts.values()), url


def _forget_oldest(sites: Path) -> None:
    made = sorted(sites.glob("*/"), key=lambda site: site.stat().st_mtime, reverse=True)
    for site in made[_KEPT:]:
        shutil.rmtree(site, ignore_errors=True)


def _context(folder: Path) -> "AbstractDataContext":
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    for site in list(context.list_data_docs_sites()):
        context.delete_data_docs_site(site)
    context.add_data_docs_site(
        site_name=_SITE,
        site_config={
            "class_name": "SiteBuilder",
            "store_backend": {
                "class_name": "TupleFilesystemStoreBackend",
                "base_directory": str(folder),
            },
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        },
    )
    return context


def _validate(
    context: "AbstractDataContext", url: str, batch: Batch, tables: list[str]
) -> dict[str, Any]:
    import great_expectations as gx

    source = context.data_sources.add_postgres(
        "staging", connection_string=address(url, driver="psycopg2")
    )
    results = {}
    for table in tables:
        relation = batch.staging(table).removeprefix("staging.")
        asset = source.add_table_asset(table, table_name=relation, schema_name="staging")
        whole = asset.add_batch_definition_whole_table("whole")
        suite = context.suites.add(gx.ExpectationSuite(table, suite_of(table, batch)))
        definition = context.validation_definitions.add(
            gx.ValidationDefinition(name=table, data=whole, suite=suite)
        )
        results[table] = definition.run(result_format="SUMMARY")
    return results


def _named(result: Any) -> str:
    configured = result.expectation_config
    columns = configured.kwargs.get("column") or configured.kwargs.get("column_list") or ""
    said = configured.description or f"{configured.type} {columns}".strip()
    if result.exception_info and result.exception_info.get("raised_exception"):
        return f"{said}: {result.exception_info['exception_message']}"
    found = result.result.get("observed_value", result.result.get("unexpected_count"))
    return f"{said} (found {found})"


@contextmanager
def _reference(store: Store, batch: Batch, tables: list[str]) -> Iterator[None]:
    """What the bars are held against, as staging tables for the time of the check."""
    made = {name: batch.staging(name) for name in (SESSIONS, BEFORE)}
    with store.connect() as connection, connection.cursor() as cursor:
        prepare(connection, batch)
        calendars: list[str] = []
        if "instruments" in tables:
            cursor.execute(f"SELECT DISTINCT calendar FROM {batch.staging('instruments')}")
            calendars = [row[0] for row in cursor.fetchall()]
        for relation in made.values():
            cursor.execute(f"DROP TABLE IF EXISTS {relation}")
        cursor.execute(f"CREATE UNLOGGED TABLE {made[SESSIONS]} (calendar text, session date)")
        cursor.execute(f"CREATE UNLOGGED TABLE {made[BEFORE]} (instrument_id text, session date)")
        held = manifest(batch)
        with stated_in(held):
            days = sheet(calendars)
            owned = window(universe(batch.universe).calendar, batch.first, batch.last)
        closed = days.filter(owned.at("closes"), pl.col("closes") <= held.collected_at).to_arrow()
        copy.into(connection, made[SESSIONS], closed.select(["calendar", "session"]))
    _traded_before(store, batch, days.filter(pl.col("closes") <= owned.after), made[BEFORE])
    try:
        yield
    finally:
        with store.connect() as connection, connection.cursor() as cursor:
            for relation in made.values():
                cursor.execute(f"DROP TABLE IF EXISTS {relation}")


def _traded_before(store: Store, batch: Batch, days: pl.DataFrame, relation: str) -> None:
    """Fill in the stored bars of each calendar's last session of those days."""
    lasts = days.group_by("calendar").agg(pl.col("session").max())["session"].to_list()
    as_of = manifest(batch).collected_at
    for day in set(lasts):
        where = {"interval": "1d", "source": batch.source, "session": (day, day)}
        names = ("instrument_id", "session")
        held = store.read(BARS, as_of, store.snapshot(), where, names)
        with store.connect() as connection:
            copy.into(connection, relation, held)
