"""The Grafana dashboard as code: `python infra/grafana/dashboards.py <folder>` writes its JSON.

The JSON is not kept in the repository: a panel is changed here. Import it in Grafana (Dashboards,
New, Import) or put the folder where Grafana's provisioning looks.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueTextMode,
    LegendDisplayMode,
    LegendPlacement,
)
from grafana_foundation_sdk.models.dashboard import DataSourceRef

NAME = "finpulse"
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
OURS = 'universe="$universe"'


@dataclass(frozen=True)
class Panel:
    """One panel: queries as (PromQL, legend), a Grafana unit, and how wide it is of 24."""

    title: str
    text: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    span: int = 8
    single: bool = False


ROWS: dict[str, tuple[Panel, ...]] = {
    "Business": (
        Panel(
            "Champion in office",
            "Model version that the ledger of promotions names.",
            ((f"finpulse_champion_info{{{OURS}}}", "version {{version}}"),),
            span=4,
            single=True,
        ),
        Panel(
            "Champion served",
            "Model version that answers requests; it follows once it has forecasts.",
            ((f"finpulse_serving_champion_info{{{OURS}}}", "version {{version}}"),),
            span=4,
            single=True,
        ),
        Panel(
            "Time in office",
            "Since the champion was promoted.",
            ((f"finpulse_champion_age_seconds{{{OURS}}}", ""),),
            "s",
            span=4,
            single=True,
        ),
        Panel(
            "Age of the newest forecast",
            "Since the decision that is served as the newest.",
            (("time() - finpulse_serving_newest_forecast_timestamp_seconds", ""),),
            "s",
            span=4,
            single=True,
        ),
        Panel(
            "Settled forecasts",
            "The champion's forecasts whose truth is known.",
            ((f"sum by (origin) (finpulse_settled_predictions{{{OURS}}})", "{{origin}}"),),
            span=8,
            single=True,
        ),
        Panel(
            "Accuracy beside the class prior",
            "Share of settled forecasts that came true.",
            ((f"finpulse_forecast_accuracy_ratio{{{OURS}}}", "{{forecaster}}, {{origin}}"),),
            "percentunit",
        ),
        Panel(
            "Log loss beside the class prior",
            "Lower is better; the class prior is what knowing nothing costs.",
            ((f"finpulse_forecast_log_loss{{{OURS}}}", "{{forecaster}}, {{origin}}"),),
        ),
        Panel(
            "Brier score beside the class prior",
            "Lower is better, 0 to 2 over three classes.",
            ((f"finpulse_forecast_brier_score{{{OURS}}}", "{{forecaster}}, {{origin}}"),),
        ),
        Panel(
            "Latency of /predict",
            "From the first byte of a request to the last of its answer.",
            tuple(
                (
                    f"histogram_quantile({q}, sum by (le) (rate("
                    'finpulse_http_request_duration_seconds_bucket{route=~"/predict.*"}[5m])))',
                    f"p{round(q * 100)}",
                )
                for q in (0.5, 0.99)
            ),
            "s",
            span=12,
        ),
        Panel(
            "Requests",
            "Answers per second by status.",
            (("sum by (status) (rate(finpulse_http_requests_total[5m]))", "{{status}}"),),
            "reqps",
            span=12,
        ),
    ),
    "Drift": (
        Panel(
            "Alarms",
            "Features whose newest score is above its threshold.",
            ((f"sum by (test) (finpulse_drift_alarm{{{OURS}}})", "{{test}}"),),
            span=6,
            single=True,
        ),
        Panel(
            "Score over threshold",
            "Above 1 a feature has moved too far from what the champion learnt from.",
            (
                (
                    f"finpulse_drift_score{{{OURS}}} / finpulse_drift_threshold{{{OURS}}}",
                    "{{feature}}, {{test}}",
                ),
            ),
            span=18,
        ),
    ),
    "Data": (
        Panel(
            "Age of the newest bar",
            "Since the close of the newest session that is stored.",
            (("finpulse_data_age_seconds", ""),),
            "s",
            span=6,
            single=True,
        ),
        Panel(
            "Up",
            "1 when the exporter reached it.",
            (("finpulse_database_up", "database"), ("finpulse_mlflow_up", "MLflow")),
            span=6,
            single=True,
        ),
        Panel(
            "Alias and ledger",
            "What comparing MLflow's alias with the ledger led to, within a day.",
            (
                (
                    'increase(finpulse_alias_reconciliations_total{result!~"agreed|idle"}[1d])',
                    "{{result}}",
                ),
            ),
            span=12,
        ),
        Panel("Rows", "Rows of each table.", (("finpulse_table_rows", "{{table}}"),), span=8),
        Panel(
            "Refused rows",
            "Rows that the quality rules refused.",
            (("finpulse_rejected_rows", "{{table}}: {{reason}}"),),
        ),
        Panel(
            "Forecasts",
            "Forecasts issued for their own session (live) and caught up (backfill).",
            ((f"finpulse_predictions{{{OURS}}}", "{{origin}}"),),
        ),
    ),
}


def _query(place: int, expr: str, legend: str) -> prometheus.Dataquery:
    return (
        prometheus.Dataquery()
        .ref_id(chr(ord("A") + place))
        .datasource(SOURCE)
        .expr(expr)
        .legend_format(legend)
    )


def _panel(panel: Panel) -> stat.Panel | timeseries.Panel:
    built: stat.Panel | timeseries.Panel
    if panel.single:
        text = BigValueTextMode.NAME if "_info" in panel.queries[0][0] else BigValueTextMode.AUTO
        built = stat.Panel().text_mode(text).height(4)
    else:
        legend = (
            common.VizLegendOptions()
            .show_legend(True)
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
        )
        built = timeseries.Panel().legend(legend).height(8)
    built = built.title(panel.title).description(panel.text).unit(panel.unit)
    built = built.datasource(SOURCE).span(panel.span)
    for place, (expr, legend_format) in enumerate(panel.queries):
        built = built.with_target(_query(place, expr, legend_format))
    return built


def build() -> dashboard.Dashboard:
    """The dashboard's builder; `build().build()` is its model."""
    universe = (
        dashboard.QueryVariable("universe")
        .label("Universe")
        .datasource(SOURCE)
        .query("label_values(finpulse_champion_info, universe)")
    )
    board = (
        dashboard.Dashboard("FinPulse")
        .uid(NAME)
        .description("Forecasts beside their truth, drift, and the data beneath.")
        .tags([NAME])
        .refresh("30s")
        .time("now-24h", "now")
        .timezone("utc")
        .with_variable(dashboard.DatasourceVariable("datasource").type("prometheus"))
        .with_variable(universe)
    )
    for title, panels in ROWS.items():
        board = board.with_row(dashboard.Row(title))
        for panel in panels:
            board = board.with_panel(_panel(panel))
    return board


def write(folder: Path) -> Path:
    """Write the dashboard's JSON into the folder; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{NAME}.json"
    text = JSONEncoder(sort_keys=True, indent=2).encode(build().build())
    file.write_text(text + "\n")
    return file


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python infra/grafana/dashboards.py <folder>")
    print(write(Path(sys.argv[1])))
