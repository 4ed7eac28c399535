"""The gate of a canary image: asks Prometheus how its pods serve beside the stable ones.

Prints a line per question, then PROMOTE (exit 0), HOLD (75) or ROLLBACK (1). What is compared are
differences in points and seconds over the last minutes, with as many calls of each track as tell
anything. RELEASE_PROMETHEUS is its address, or a path of the cluster's API that leads to it.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from urllib.parse import quote

PATH = "/api/v1/namespaces/monitoring/services/prometheus-operated:9090/proxy"
CODES = {"PROMOTE": 0, "HOLD": 75, "ROLLBACK": 1}
# Calls of each track without which nothing is told; how much worse the canary may be.
LEAST, POINTS, SECONDS = 200, 0.5, 0.1

CALLS = 'sum(increase(finpulse_http_requests_total{{track="{track}",{asked}}}[{window}]))'
ERRORS = (
    'sum(increase(finpulse_http_requests_total{{track="{track}",{asked},status=~"5.."}}[{window}]))'
)
SLOW = (
    "histogram_quantile(0.99, sum by (le) (rate(finpulse_http_request_duration_seconds_bucket"
    '{{track="{track}",{asked}}}[{window}])))'
)
UP = 'min(up{{job="finpulse-predictor",track="{track}"}})'
# What callers ask, not what probes do.
ASKED = 'route!~"/health.*|/metrics|unmatched"'

Ask = Callable[[str], float | None]


def ask(query: str) -> float | None:
    """The one number that a query finds; None where there is none."""
    place = os.environ.get("RELEASE_PROMETHEUS") or PATH
    url = f"{place}/api/v1/query?query={quote(query)}"
    if place.startswith("http"):
        with urllib.request.urlopen(url, timeout=30) as answer:
            body = answer.read()
    else:
        command = ["kubectl", "get", "--raw", url]
        body = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    found = json.loads(body)["data"]["result"]
    value = float(found[0]["value"][1]) if found else math.nan
    return None if math.isnan(value) else value


def judged(asked: Ask, window: str, least: int) -> tuple[str, list[str]]:
    """The verdict, and what it rests on."""

    def of(query: str, track: str) -> float | None:
        return asked(query.format(track=track, asked=ASKED, window=window))

    if of(UP, "canary") == 0:
        return "ROLLBACK", ["a pod of the canary does not answer"]
    calls = {track: of(CALLS, track) or 0.0 for track in ("stable", "canary")}
    said = [f"calls: {calls['stable']:.0f} stable, {calls['canary']:.0f} canary, least {least}"]
    errors = {t: 100 * (of(ERRORS, t) or 0.0) / max(n, 1) for t, n in calls.items()}
    more = errors["canary"] - errors["stable"]
    said.append(f"server errors: {more:+.2f} points, at most {POINTS:+.2f}")
    if calls["canary"] >= least and more > POINTS:
        return "ROLLBACK", said
    if min(calls.values()) < least:
        return "HOLD", said
    slow = {track: of(SLOW, track) for track in calls}
    if slow["stable"] is None or slow["canary"] is None:
        return "HOLD", [*said, "99th percentile: not known"]
    later = slow["canary"] - slow["stable"]
    said.append(f"99th percentile: {later:+.3f} s, at most {SECONDS:+.3f} s")
    return "PROMOTE" if later <= SECONDS else "ROLLBACK", said


def main() -> int:
    """Ask once; returns the exit status."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--window", default="10m", help="how far back is looked")
    options.add_argument("--least", type=int, default=LEAST, help="calls of each track")
    given = options.parse_args()
    try:
        verdict, said = judged(ask, given.window, given.least)
    except (OSError, subprocess.SubprocessError, ValueError, LookupError) as error:
        verdict, said = "HOLD", [f"Prometheus does not answer: {error}"]
    print("\n".join([*said, verdict]))
    return CODES[verdict]


if __name__ == "__main__":
    sys.exit(main())
