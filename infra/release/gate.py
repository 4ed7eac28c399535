"""Asks the canary's gate until it has decided, and tells GitHub: `gate=pass` or `gate=fail`.

The gate is a command, RELEASE_GATE, whose last printed word is PROMOTE, HOLD or ROLLBACK, with the
exit status 0, 75 or 1; `{weight}` in it is the canary's share in percent, `{seconds}` how long it
has had that share: what was counted before says nothing of it. It is asked again while it holds.
Whatever else it says or does is no pass, and neither is a hold at the deadline.
"""

import argparse
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

VERB = "python -m monitoring canary --seconds {seconds}"
# A rate needs two scrapes.
SHORTEST_SECONDS = 5
VERDICTS = {"PROMOTE": 0, "HOLD": 75, "ROLLBACK": 1}


def asked(command: list[str], seconds: float) -> str:
    """The gate's verdict; anything that is none is a ROLLBACK, with the reason printed."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=seconds)
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"the gate did not answer: {error}", flush=True)
        return "ROLLBACK"
    print(done.stdout, end="", flush=True)
    word = (done.stdout.split() or [""])[-1]
    if VERDICTS.get(word) != done.returncode:
        wanted = ", ".join(f"{name} with {code}" for name, code in VERDICTS.items())
        print(f"expected of the gate {wanted}; found {word!r} with {done.returncode}", flush=True)
        return "ROLLBACK"
    return word


def decided(command: list[str], minutes: float, pause: float) -> bool:
    """Whether the gate promotes before so many minutes have passed."""
    began = time.monotonic()
    deadline = began + minutes * 60
    while True:
        left = max(deadline - time.monotonic(), 1)
        seconds = str(max(SHORTEST_SECONDS, int(time.monotonic() - began)))
        verdict = asked([word.replace("{seconds}", seconds) for word in command], left)
        if verdict != "HOLD":
            return verdict == "PROMOTE"
        if time.monotonic() + pause >= deadline:
            print(f"still on hold after {minutes:g} minutes: no data is no pass", flush=True)
            return False
        time.sleep(pause)


def main() -> int:
    """Returns 0 for a pass and 1 for anything else."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--weight", type=int, required=True, help="percent of the calls")
    options.add_argument("--minutes", type=float, default=30, help="until a hold is a fail")
    options.add_argument("--pause", type=float, default=30, help="seconds between questions")
    given = options.parse_args()
    told = os.environ.get("RELEASE_GATE") or VERB
    command = [word.replace("{weight}", str(given.weight)) for word in shlex.split(told)]
    passed = decided(command, given.minutes, given.pause)
    line = f"gate={'pass' if passed else 'fail'}"
    print(line, flush=True)
    if output := os.environ.get("GITHUB_OUTPUT"):
        with Path(output).open("a") as file:
            file.write(line + "\n")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
