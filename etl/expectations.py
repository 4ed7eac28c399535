"""What the gate expects of each staging table."""

from typing import TYPE_CHECKING

from contracts.table import KNOWN_AT
from contracts.tables import TABLES
from etl.batch import Batch

if TYPE_CHECKING:
    from great_expectations.expectations import Expectation

SESSIONS = "sessions"  # the staging table with the sessions of the batch's calendars
# A halt or some refused bars leave short gaps; a longer one is a fault of the source.
LONGEST_GAP = 5

# Sessions from an instrument's first to its last daily bar, and whether it has a bar there.
_COVERAGE = """
WITH bar AS (
  SELECT DISTINCT instrument_id, session FROM {batch} b WHERE interval = '1d'),
span AS (
  SELECT instrument_id, calendar, min(session) AS first, max(session) AS last
  FROM bar JOIN %(instruments)s USING (instrument_id) GROUP BY 1, 2),
day AS (
  SELECT span.instrument_id, s.session, bar.session IS NOT NULL AS present
  FROM span JOIN %(sessions)s s
    ON s.calendar = span.calendar AND s.session BETWEEN span.first AND span.last
  LEFT JOIN bar ON bar.instrument_id = span.instrument_id AND bar.session = s.session)
"""
_GAPS = (
    _COVERAGE
    + """, run AS (
  SELECT *, sum(present::int) OVER (PARTITION BY instrument_id ORDER BY session) AS run FROM day)
SELECT instrument_id, min(session) AS first, max(session) AS last, count(*) AS missing
FROM run WHERE NOT present GROUP BY instrument_id, run HAVING count(*) > %(longest)d
"""
)
_OUTAGES = (
    _COVERAGE
    + """
SELECT session, count(*) AS instruments, sum(present::int) AS found
FROM day GROUP BY session HAVING sum(present::int) * 2 < count(*)
"""
)


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
        "longest": LONGEST_GAP,
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
            unexpected_rows_query=_GAPS % names,
            description=f"no instrument misses more than {LONGEST_GAP} sessions in a row",
        ),
        gxe.UnexpectedRowsExpectation(
            unexpected_rows_query=_OUTAGES % names,
            description="at least half of the instruments have a bar in every session",
        ),
    ]


def _actions(_batch: Batch) -> "list[Expectation]":
    import great_expectations.expectations as gxe

    return [
        gxe.ExpectColumnValuesToBeInSet(column="kind", value_set=["split", "dividend"]),
        gxe.ExpectColumnValuesToBeBetween(column="value", min_value=0, strict_min=True),
    ]
