"""Before anything is built: a small simulated market is loaded, learnt from and judged.

    python infra/release/rehearse.py etl | train | evaluate

The services are the local stack's (`make up`); each step is verbs that can be pasted.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Small, and long enough that the contest has sessions of its own.
SIZE = {
    "FINPULSE_SIM_INSTRUMENTS": "6",
    "FINPULSE_SIM_SESSIONS": "500",
    "FINPULSE_CONTEST_SESSIONS": "120",
    "FINPULSE_TRIALS": "1",
}
RECIPE = "volatility"


def verb(*words: str) -> str:
    """Run a verb and return the last line that it prints; ends the process where that fails."""
    print("+ python -m", *words, flush=True)
    command = [sys.executable, "-m", *words]
    done = subprocess.run(
        command, cwd=ROOT, env=SIZE | os.environ, stdout=subprocess.PIPE, text=True
    )
    print(done.stdout, end="", flush=True)
    if done.returncode:  # It has said why.
        sys.exit(f"error: `python -m {words[0]} {words[1]}` ended with {done.returncode}")
    return (done.stdout.strip().splitlines() or [""])[-1]


def main() -> int:
    """Do a step; returns the exit status."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("step", choices=("etl", "train", "evaluate"))
    given = options.parse_args()
    match given.step:
        case "etl":
            verb("etl", "load", "--in-process")
        case "train":
            first, last = verb("etl", "extent").split()
            snapshot = verb("contracts", "snapshot", "--run", "rehearsal")
            place = ("--session", last, "--snapshot", snapshot)
            verb("training", "score-text", *place)
            verb("training", "train", "--first", first, *place, "--recipes", RECIPE)
            verb("serving", "predict", *place)
        case "evaluate":
            verb("training", "report")
    return 0


if __name__ == "__main__":
    sys.exit(main())
