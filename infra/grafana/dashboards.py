"""The Grafana dashboard as code: `python infra/grafana/dashboards.py helm/monitoring/dashboards`.

A panel is changed here and the JSON written anew; a test holds the two together. The chart makes
a ConfigMap of that folder, compose provisions it; elsewhere import it (Dashboards, New, Import).
The recorded metrics, with a colon in their names, come from helm/monitoring/rules.
"""

import sys
from pathlib import Path

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueTextMode,
    LegendDisplayMode,
    LegendPlacement,
)
from grafana_foundation_sdk.models.dashboard import (
    AnnotationQuery,
    DataSourceRef,
    VariableOption,
    VariableRefresh,
)
from panels import DECIDED, DECISIONS, OF_UNIVERSE, OURS, ROWS, Panel

NAME = "finpulse"
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")


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
    if panel.repeat:
        built = built.repeat(panel.repeat).repeat_direction("h")
    for place, (expr, legend_format) in enumerate(panel.queries):
        built = built.with_target(_query(place, expr, legend_format))
    return built


def _variable(label: str, metric: str) -> dashboard.QueryVariable:
    """One that takes the label's values of a metric within the time that is looked at."""
    made = dashboard.QueryVariable(label).label(label.capitalize()).datasource(SOURCE)
    made = made.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    return made.query(f"label_values({metric}, {label})")


def _each(label: str, metric: str) -> dashboard.QueryVariable:
    """One that stands for all of the values, unless somebody chooses."""
    every = VariableOption(selected=True, text=["All"], value=["$__all"])
    return _variable(label, metric).multi(True).include_all(True).current(every)


class _Marks(AnnotationQuery):
    """Marks by a query of Prometheus, with what the SDK has no words for."""

    def to_json(self) -> dict[str, object]:
        expr, title = DECISIONS
        how = {"expr": expr, "titleFormat": title, "textFormat": DECIDED, "tagKeys": "decision"}
        # The same moment seen again within a step is one mark.
        return super().to_json() | how | {"useValueForTime": True, "step": "60s"}


class _Promotions(dashboard.AnnotationQuery):
    def build(self) -> AnnotationQuery:
        return _Marks("Promotions", SOURCE, icon_color="purple")


def build() -> dashboard.Dashboard:
    """The dashboard's builder; `build().build()` is its model."""
    board = (
        dashboard.Dashboard("FinPulse")
        .uid(NAME)
        .description("Forecasts beside their truth, drift, and the data beneath.")
        .tags([NAME])
        .refresh("30s")
        .time("now-24h", "now")
        .timezone("utc")
        .annotation(_Promotions())
        .with_variable(dashboard.DatasourceVariable("datasource").type("prometheus"))
        .with_variable(_variable("universe", "finpulse_champion_info"))
        .with_variable(_variable("target", f"finpulse_champion_info{{{OF_UNIVERSE}}}"))
        .with_variable(_each("metric", f"finpulse_settled_score{{{OURS}}}"))
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
