"""The DAG `release_champion`: the gate asks of every staged challenger, every few minutes."""

import os

from step import pipeline, steps

ABOUT = """A challenger that is staged goes on, waits or goes, from shadow to a tenth of the
callers, to half of them, into office: each evaluation is a row of the ledger `rollouts`."""

with pipeline(
    "release_champion",
    hours=1,
    schedule="*/5 * * * *",
    # Where a contest's winner is staged, nobody is to wait for it to be switched on.
    is_paused_upon_creation=os.environ.get("FINPULSE_RELEASE") != "staged",
    doc_md=ABOUT,
) as dag:
    steps({"gate": "python -m monitoring rollout --every-universe"})
