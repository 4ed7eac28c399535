"""The DAG `forecast_champion`: champions that a person chose get their forecasts at once."""

from airflow.sdk import Asset
from step import pipeline, steps

# The monitoring service tells of each choice that the ledger holds and nobody has forecast for.
LEDGER = Asset("promotions", uri="finpulse://ledger/promotions")
ABOUT = """Champions that were chosen in MLflow or by a rollback forecast the newest session, woken
by the monitoring service when it finds one in the ledger that has not."""

with pipeline(
    "forecast_champion",
    hours=1,
    schedule=[LEDGER],
    # A person waits for it: before all other steps, and not after somebody switched it on.
    default_args={"priority_weight": 100},
    is_paused_upon_creation=False,
    doc_md=ABOUT,
) as dag:
    steps({"catch_up": "python -m serving catch-up"})
