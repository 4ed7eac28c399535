"""The DAG `forecast_champion`: champions that a person chose get their forecasts at once."""

from datetime import timedelta

from airflow.sdk import DAG, Asset
from step import AGAIN, Step, words

# The monitoring service tells of each choice that the ledger holds and nobody has forecast for.
LEDGER = Asset("promotions", uri="finpulse://ledger/promotions")

with DAG(
    "forecast_champion",
    schedule=[LEDGER],
    # A person waits for it: before all other steps, and not after somebody switched it on.
    default_args=AGAIN | {"execution_timeout": timedelta(hours=1), "priority_weight": 100},
    is_paused_upon_creation=False,
    max_active_runs=1,
    catchup=False,
    doc_md="Champions that were chosen in MLflow or by a rollback forecast the newest session, "
    "woken by the monitoring service when it finds one in the ledger that has not.",
) as dag:
    Step(task_id="catch_up", argv=words("python -m serving catch-up"))
