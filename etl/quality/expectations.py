"""What the gate expects of each staging table."""

from typing import TYPE_CHECKING

from contracts.table import KNOWN_AT
from contracts.tables import TABLES
from etl.batch.batch import Batch
from etl.quality.findings import TOLD

if TYPE_CHECKING:
    from great_expectations.expectations import Expectation

# Staging tables that the gate makes for its own time: the sessions of the batch's calendars that
# had closed, and whose bar was stored in the session before the first of them.
SESSIONS, BEFORE = "sessions", "before"
# Of fewer instruments a session without half of them is no sign of a source that fails.
ENOUGH = 5

# Sessions from an instrument's first to its last daily bar, and whether one was delivered there; a
# refused one was. An instrument that had a bar before and has none at all is expected at once.
_OUTAGES = """
WITH bar AS (
  SELECT instrument_id, session FROM {batch} b WHERE interval = '1d'
  UNION SELECT instrument_id, session FROM %(told)s
    WHERE refused AND table_name = 'bars' AND session IS NOT NULL),
span AS (
  SELECT instrument_id, calendar, min(session) AS first, max(session) AS last
  FROM (SELECT * FROM bar UNION SELECT * FROM %(before)s) seen
  JOIN %(instruments)s USING (instrument_id) GROUP BY 1, 2),
day AS (
  SELECT span.instrument_id, s.session, bar.session IS NOT NULL AS present
  FROM span JOIN %(sessions)s s ON s.calendar = span.calendar AND (
    s.session BETWEEN span.first AND span.last
    OR span.last < (SELECT min(session) FROM %(sessions)s WHERE calendar = span.calendar))
  LEFT JOIN bar ON bar.instrument_id = span.instrument_id AND bar.session = s.session)
SELECT session, count(*) AS instruments, sum(present::int) AS found
FROM day GROUP BY session HAVING count(*) >= %(enough)d AND sum(present::int) * 2 < count(*)
"""


def suite_of(table: str, batch: Batch) -> "list[Expectation]":
    """Columns, nulls and keys of any table, and the finance rules of its own."""
    import great_expectations.expectations as gxe

    declared = TABLES[table]
    key = [*declared.key, KNOWN_AT]
    own = {"bars": _bars, "actions": _actions}.get(table)
    return [
        gxe.ExpectTableColumnsToMatchSet(column_set=list(declared.names), exact_match=True),
        gxe.ExpectCompoundColumnsToBeUnique(column_list=key),
        *(
            gxe.ExpectColumnValuesToNotBeNull(column=column.name)
            for column in declared.columns
            if not column.null
        ),
        *(own(batch) if own else []),
    ]


def _bars(batch: Batch) -> "list[Expectation]":
    import great_expectations.expectations as gxe

    names = {
        "instruments": batch.staging("instruments"),
        "sessions": batch.staging(SESSIONS),
        "before": batch.staging(BEFORE),
        "told": batch.staging(TOLD),
        "enough": ENOUGH,
    }

    def not_above(low: str, high: str) -> "Expectation":
        return gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A=high, column_B=low, or_equal=True, description=f"{low} is not above {high}"
        )

    return [
        gxe.ExpectTableRowCountToBeBetween(min_value=1, description="there are bars"),
        *(
            gxe.ExpectColumnValuesToBeBetween(column=price, min_value=0, strict_min=True)
            for price in ("open", "high", "low", "close")
        ),
        gxe.ExpectColumnValuesToBeBetween(column="volume", min_value=0),
        not_above("low", "high"),
        not_above("low", "close"),
        not_above("event_time", "known_at"),
        gxe.UnexpectedRowsExpectation(
            unexpected_rows_query=_OUTAGES % names,
            description="at least half of the instruments have a bar in every session",
        ),
    ]


def _actions(_batch: Batch) -> "list[Expectation]":
    import great_expectations.expectations as gxe

    return [
        gxe.ExpectColumnValuesToBeInSet(column="kind", value_set=["split", "dividend"]),
        # A dividend of 0 says that one was withdrawn.
        gxe.ExpectColumnValuesToBeBetween(column="value", min_value=0),
    ]
