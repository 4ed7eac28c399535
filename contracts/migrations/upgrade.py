"""Bring a database to a revision; `python -m contracts revise` writes the next one."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.database.connection import MIGRATE, engine
from contracts.migrations.declared import metadata
from contracts.migrations.guards import append_only, tallied
from contracts.tables import TABLES

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection, Engine

_LOCK = 7_411_001
_FOLDER = Path(__file__).parent


def _engine(url: str) -> "Engine":
    return engine(url, MIGRATE)


def _config(connection: "Connection") -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Run the missing revisions in one transaction, under a lock."""
    from alembic import command
    from sqlalchemy import text

    with _engine(url).begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        command.upgrade(_config(connection), revision)


def differences(url: str) -> list[object]:
    """What the declared tables and the database do not share; empty when they agree."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with _engine(url).connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_name": is_ours}
        )
        return list(compare_metadata(context, metadata()))


def is_ours(name: str | None, kind: str, _: object) -> bool:
    """Whether a name found in the database is to be compared: partitions are not."""
    declared = metadata().tables
    return kind != "table" or name in declared


def revise(url: str, message: str) -> None:
    """Write a revision that takes the database to the declared tables; read it before use."""
    from alembic import command

    with _engine(url).connect() as connection:
        command.revision(
            _config(connection),
            message=message,
            autogenerate=True,
            process_revision_directives=guard,
        )


def guard(_: object, __: object, directives: list[Any]) -> None:
    """Let a revision that creates tables guard them as their kind demands: Alembic's hook."""
    from alembic.operations.ops import CreateTableOp, ExecuteSQLOp

    [script] = directives
    operations = script.upgrade_ops.ops
    made = [each.table_name for each in operations if isinstance(each, CreateTableOp)]
    for name in made:
        counted = tallied(name) if TABLES[name].kind == "ledger" else []
        operations += [ExecuteSQLOp(statement) for statement in (append_only(name), *counted)]
