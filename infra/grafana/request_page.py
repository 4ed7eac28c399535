"""The page of one request, which a log's line leads to: `python infra/grafana/request_page.py`.

A query is changed here and infra/compose/grafana/pages/request.json written anew; a test holds the
two together, and asks a real database.
"""

import json
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[1] / "compose" / "grafana" / "pages" / "request.json"
SOURCE = {"type": "grafana-postgresql-datasource", "uid": "facts"}

ASKED = """SELECT request_id, answered_at, method, route, status, seconds, symbols, universe,
  model_version, key_name
FROM requests WHERE request_id = ${request_id:sqlstring}"""
# The newest forecast of each symbol and target that there was when it was answered.
FORETOLD = """SELECT DISTINCT ON (p.symbol, p.target) p.prediction_id, p.symbol, p.target,
  p.session, p.as_of, p.issued_at, p.model_version, p.bundle, p.snapshot, p.signal, p.forecast
FROM requests r
CROSS JOIN LATERAL jsonb_array_elements_text(r.symbols::jsonb) AS asked(symbol)
JOIN predictions p ON p.universe = r.universe AND p.symbol = asked.symbol
  AND p.issued_at <= r.answered_at
WHERE r.request_id = ${request_id:sqlstring}
ORDER BY p.symbol, p.target, p.session DESC, p.issued_at DESC"""


def panel(number: int, title: str, query: str, top: int, height: int) -> dict[str, Any]:
    """A table of what a query finds."""
    target = {"refId": "A", "datasource": SOURCE, "format": "table", "rawSql": query}
    place = {"x": 0, "y": top, "w": 24, "h": height}
    about = {"id": number, "title": title, "type": "table", "datasource": SOURCE}
    return about | {"gridPos": place, "targets": [target | {"rawQuery": True}]}


def page() -> dict[str, Any]:
    """The dashboard as Grafana reads it."""
    asked = {"name": "request_id", "type": "textbox", "label": "request", "query": ""}
    return {
        "uid": "finpulse-request",
        "title": "FinPulse: one request",
        "schemaVersion": 41,
        "time": {"from": "now-90d", "to": "now"},
        "templating": {"list": [asked]},
        "panels": [
            panel(1, "What was asked", ASKED, 0, 6),
            panel(2, "What was foretold", FORETOLD, 6, 16),
        ],
    }


if __name__ == "__main__":
    PAGE.write_text(json.dumps(page(), indent=2) + "\n")
