"""What a demo leaves to see: how far it came, predictions as served, and where to look."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import httpx
from patience import Patience
from rich.console import Console
from rich.table import Table
from stack import Stack, StackError

from contracts.champion import FIRST_TARGET, Office, model_name
from contracts.store import Store
from contracts.tables import TABLES
from serving.served.spoken import number
from training.objective import OBJECTIVES, Objective

_SWAP_SECONDS = 60
WIDTH = 126
_SHOWN = ("symbol", "p_down", "p_neutral", "p_up", "signal")
_ABOUT = ("as_of", "version")

client = httpx.Client(trust_env=False, timeout=60)


@dataclass(frozen=True)
class Count:
    """How much there is: rows of all tables, and versions of the universe's models."""

    rows: int
    versions: int

    def __sub__(self, other: "Count") -> "Count":
        return Count(self.rows - other.rows, self.versions - other.versions)


def count(stack: Stack, universe: str) -> Count:
    """Count rows by SQL and model versions by MLflow's REST API."""
    # The calls that show the outcome are logged too: they are no work of the run.
    names = [name for name in TABLES if name != "requests"]
    parts = " + ".join(f"(SELECT count(*) FROM {name})" for name in names)
    [row] = Store(stack.facts).query(f"SELECT {parts} AS rows").to_pylist()
    named = model_name(Office(universe, "%"))
    answer = client.get(
        f"{stack.settings.mlflow}/api/2.0/mlflow/model-versions/search",
        params={"filter": f"name LIKE '{named}'", "max_results": 10_000},
    )
    answer.raise_for_status()
    return Count(int(row["rows"]), len(answer.json().get("model_versions", [])))


def newest(stack: Stack, universe: str) -> date | None:
    """The newest session that was forecast; None before any. So far the demo has advanced."""
    asked = "SELECT max(session) AS session FROM predictions WHERE universe = %s"
    [row] = Store(stack.facts).query(asked, (universe,)).to_pylist()
    found: date | None = row["session"]
    return found


def _forecast(stack: Stack, universe: str, session: date) -> dict[str, list[str]]:
    """The symbols that were forecast for the session, by target."""
    rows = Store(stack.facts).query(
        "SELECT target, array_agg(DISTINCT symbol ORDER BY symbol) AS symbols FROM predictions "
        "WHERE universe = %s AND session = %s GROUP BY 1",
        (universe, session),
    )
    return {row["target"]: row["symbols"] for row in rows.to_pylist()}


def ask(stack: Stack, symbols: list[str], **more: str) -> httpx.Response:
    """The predictor's answer about these symbols, asked with the stack's key."""
    headers = {"X-API-Key": stack.api_key}
    body = {"symbols": symbols, **more}
    return client.post(f"{stack.predictor}/predict", json=body, headers=headers)


def _newest_by(stack: Stack, universe: str, target: str) -> dict[str, str]:
    """The session of each symbol's newest forecast that is served of a target."""
    answer = client.get(
        f"{stack.predictor}/assets",
        params={"universe": universe, "target": target},
        headers={"X-API-Key": stack.api_key},
    )
    return {row["symbol"]: row["session"] for row in answer.json().get("assets", [])}


def served(stack: Stack, universe: str, session: date, patience: Patience) -> list[dict[str, Any]]:
    """The predictor's answer for every symbol of the session; waits while it swaps champions."""
    symbols = _forecast(stack, universe, session)
    if FIRST_TARGET not in symbols:
        raise StackError(f"no prediction of {session} was recorded: see the task `predict`")
    rows: list[dict[str, Any]] = []

    def asked() -> bool:
        for target, forecast in symbols.items():
            known = _newest_by(stack, universe, target)
            if any(known.get(symbol) != str(session) for symbol in forecast):
                return False
        answer = ask(stack, symbols[FIRST_TARGET], universe=universe)
        if not answer.is_success:
            raise ValueError(f"it does not serve {session}: {answer.text[:500]}")
        rows[:] = answer.json()["predictions"]
        return True

    replace(patience, seconds=_SWAP_SECONDS).until("predictor", asked)
    return rows


def predictions(stack: Stack, universe: str, session: date, patience: Patience) -> str:
    """The table of predictions, as POST /predict answers them."""
    rows = served(stack, universe, session, patience)
    told = f"Predictions of {session} for {universe}, from POST {stack.predictor}/predict"
    table = Table(title=f"{told} ({rows[0]['data_origin']} data)")
    known = {one.called: one for one in OBJECTIVES if one.tells}
    beside = {name: one for name, one in known.items() if any(row[name] for row in rows)}
    for name in (*_SHOWN, *beside, *_ABOUT):
        table.add_column(name, justify="right" if name[:2] == "p_" or name in beside else "left")
    for row in rows:
        shown = row | {"version": row["model_version"], "as_of": row["as_of"][:16]}
        shown |= {name: _first(one, row[name]) for name, one in beside.items()}
        cells = [shown[name] for name in (*_SHOWN, *beside, *_ABOUT)]
        table.add_row(*(f"{c:.3f}" if isinstance(c, float) else str(c) for c in cells))
    return printed(table)


def _first(one: Objective, told: Mapping[str, Any] | None) -> str:
    """The first of what an objective tells."""
    return number(told[next(iter(one.tells))]) if told else ""


def printed(table: Table) -> str:
    """The table as text."""
    console = Console(width=WIDTH)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def addresses(stack: Stack) -> str:
    """Where to look, with the logins."""
    settings = stack.settings
    login = f"{settings.airflow_user} / {settings.airflow_password.get_secret_value()}"
    lines = {
        "Airflow": f"{settings.airflow}   login {login}",
        "MLflow": settings.mlflow,
        "API": f"{stack.predictor}/docs   header X-API-Key: {stack.api_key}",
        "Metrics": f"{stack.predictor}/metrics and {stack.monitoring}/metrics",
        "Data docs": _data_docs(stack),
        "Logs": str(stack.home / "logs"),
    }
    return "\n".join(f"  {name:<10} {where}" for name, where in lines.items())


def _data_docs(stack: Stack) -> str:
    """The page of the batch that was checked last."""
    pages = (stack.home / "data_docs").glob("*/index.html")
    made = sorted(pages, key=lambda page: page.stat().st_mtime)
    return made[-1].as_uri() if made else "none yet"
