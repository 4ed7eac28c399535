"""COPY of Arrow frames into Postgres."""

from io import BytesIO
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

from contracts.table import quoted

_ROWS = 100_000
# A text that stands for null: it cannot occur, since Postgres text holds no such control pair.
_NULL = "\x02\x03"


def into(connection: "Connection", relation: str, frame: pa.Table) -> None:
    """Append the frame to `relation` by column name, in chunks so that memory stays flat."""
    import polars as pl
    from polars import selectors

    numbers = selectors.list().cast(pl.List(pl.String)).list.join(",")
    arrays = pl.format("{{{}}}", numbers).name.keep()
    columns = ", ".join(quoted(tuple(frame.column_names)))
    statement = f"COPY {relation} ({columns}) FROM STDIN (FORMAT csv, NULL '{_NULL}')"
    with connection.cursor() as cursor:
        for start in range(0, frame.num_rows, _ROWS):
            buffer = BytesIO()
            part = pl.from_arrow(frame.slice(start, _ROWS))
            assert isinstance(part, pl.DataFrame)
            part.with_columns(arrays).write_csv(
                buffer,
                include_header=False,
                null_value=_NULL,
                quote_style="necessary",
                datetime_format="%Y-%m-%dT%H:%M:%S%.6f+00",
            )
            buffer.seek(0)
            cursor.copy_expert(statement, buffer)
