"""The panels of the dashboard, row by row: what is asked of Prometheus, and why one looks at it."""

from dataclasses import dataclass

OF_UNIVERSE = 'universe="$universe"'
OURS = f'{OF_UNIVERSE}, target="$target"'
BESIDE = "{{forecaster}}, {{origin}}"


@dataclass(frozen=True)
class Panel:
    """One panel: queries as (PromQL, legend), a Grafana unit, and how wide it is of 24.

    repeat: the variable for each of whose values there is one.
    """

    title: str
    text: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    span: int = 8
    single: bool = False
    repeat: str = ""


# What is marked on all panels: the moment is the value, in milliseconds, whenever it is looked at.
DECISIONS = (f"finpulse_decision_timestamp_seconds{{{OURS}}} * 1000", "{{decision}}")
DECIDED = "version {{version}} ({{cause}}), bundle {{bundle}}"

ROWS: dict[str, tuple[Panel, ...]] = {
    "Champion": (
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
    ),
    "Accuracy": (
        Panel(
            "Settled forecasts",
            "The champion's forecasts whose truth is known.",
            ((f"sum by (origin) (finpulse_settled_predictions{{{OURS}}})", "{{origin}}"),),
            span=6,
            single=True,
        ),
        Panel(
            "Gain over champion zero",
            "By how much its loss, by which the objective's contests are decided, is below that of "
            "champion zero; below 0 the champion is worse.",
            ((f"finpulse:loss_gain{{{OURS}}}", "{{loss}}, {{origin}}"),),
            span=18,
        ),
        Panel(
            "$metric",
            "A metric of the target's objective, of settled forecasts: the champion's beside "
            "champion zero's.",
            ((f'finpulse_settled_score{{{OURS}, metric="$metric"}}', BESIDE),),
            span=24,
            repeat="metric",
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
            span=12,
        ),
        Panel(
            "Feature skew",
            "Values computed again online within an hour, and those that differed from the matrix.",
            (
                ("sum(increase(finpulse_feature_comparisons_total[1h]))", "compared"),
                ("sum by (feature) (increase(finpulse_feature_skew_total[1h]))", "{{feature}}"),
            ),
            span=6,
        ),
    ),
    "Alarms": (
        Panel(
            "Alarm families",
            "Those of the champion in office that have left their past; each is to do so falsely "
            "once a year at most.",
            ((f"finpulse_alarm_raised{{{OURS}}}", "{{family}}"),),
            span=6,
            single=True,
        ),
        Panel(
            "Number over threshold",
            "Above 1 a family alarms; one that stays above its severe limit wakes train_models.",
            (
                (
                    f"finpulse_alarm_number{{{OURS}}} / finpulse_alarm_threshold{{{OURS}}}",
                    "{{family}}",
                ),
            ),
            span=12,
        ),
        Panel(
            "Severe limit over threshold",
            "Where an alarm is severe, and whether it has stayed there.",
            (
                (
                    f"finpulse_alarm_severe{{{OURS}}} / finpulse_alarm_threshold{{{OURS}}}",
                    "{{family}}",
                ),
                (f"finpulse_alarm_persistent{{{OURS}}}", "{{family}} stays"),
            ),
            span=6,
        ),
    ),
    "Latency": (
        Panel(
            "Latency of /predict",
            "From the first byte of a request to the last of its answer.",
            (
                (
                    "histogram_quantile(0.5, sum by (le) (rate("
                    'finpulse_http_request_duration_seconds_bucket{route=~"/predict.*"}[5m])))',
                    "p50",
                ),
                ("finpulse:predict_duration_seconds:p99_5m", "p99"),
            ),
            "s",
        ),
        Panel(
            "Requests",
            "Answers per second by status.",
            (("sum by (status) (rate(finpulse_http_requests_total[5m]))", "{{status}}"),),
            "reqps",
        ),
        Panel(
            "Server errors",
            "Share of all answers.",
            (("finpulse:http_errors:ratio_rate5m", ""),),
            "percentunit",
        ),
        Panel(
            "Error budget left",
            "Of 0.1 % server errors among the answers of 30 days.",
            (("finpulse:error_budget:left_ratio30d", ""),),
            "percentunit",
        ),
    ),
    "Freshness": (
        Panel(
            "Age of the newest bar",
            "Since the close of the newest session that is stored.",
            (("finpulse_data_age_seconds", "{{origin}}"),),
            "s",
            span=4,
            single=True,
        ),
        Panel(
            "Age of the newest forecast",
            "Since the decision that is served as the newest.",
            ((f"time() - finpulse_serving_newest_forecast_timestamp_seconds{{{OURS}}}", ""),),
            "s",
            span=4,
            single=True,
        ),
        Panel(
            "Members behind",
            "Members of the universe without a bar of these days, of all.",
            (
                (f"finpulse_instruments_behind{{{OF_UNIVERSE}}}", "behind"),
                (f"finpulse_instruments_listed{{{OF_UNIVERSE}}}", "listed"),
            ),
            span=4,
            single=True,
        ),
        Panel(
            "Up",
            "1 when the exporter reached it.",
            (("finpulse_database_up", "database"), ("finpulse_mlflow_up", "MLflow")),
            span=4,
            single=True,
        ),
        Panel(
            "Newest rows",
            "Time since rows were last added to a table of facts.",
            (("time() - finpulse_newest_load_timestamp_seconds", "{{table}}"),),
            "s",
        ),
        Panel("Rows", "Rows of each table.", (("finpulse_table_rows", "{{table}}"),)),
        Panel(
            "Refused rows",
            "Rows that the quality rules refused.",
            (("finpulse_rejected_rows or on () vector(0)", "{{table}}: {{reason}}"),),
        ),
        Panel(
            "Forecasts",
            "Forecasts issued for their own session (live) and caught up (backfill).",
            ((f"finpulse_predictions{{{OURS}}}", "{{origin}}"),),
        ),
    ),
}
