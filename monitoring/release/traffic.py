"""How both arms answer their callers, as Prometheus has counted since the step began."""

from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import httpx

from contracts.expected import Expected
from contracts.release.rollout import Rollout
from monitoring.release.check import FAIL, NO_DATA, PASS, Check, within

ARMS = ("champion", "challenger")
# What the challenger's arm may have more than the champion's: points of failed answers, and
# milliseconds of the slowest answer in a hundred.
MOST_POINTS, MOST_MILLISECONDS = 0.1, 5.0
# A rate needs two scrapes.
_SHORTEST_SECONDS = 5
_ANSWERS = "sum by (arm, outcome) (increase(finpulse_arm_answers_total{%s}[%ds]))"
_SLOWEST = (
    "histogram_quantile(0.99, sum by (arm, le) "
    "(increase(finpulse_arm_answer_duration_seconds_bucket{%s}[%ds])))"
)


class PrometheusError(Expected, RuntimeError):
    """Prometheus does not answer or refuses; the message names the server."""


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus that scrapes the predictor; url: empty where there is none."""

    url: str
    seconds: float = 10.0

    def ask(self, query: str) -> list[tuple[dict[str, str], float]]:
        """Labels and values of an instant query, without those that are no number.

        Raises PrometheusError.
        """
        if not self.url:
            raise PrometheusError("FINPULSE_PROMETHEUS_URL is not set: nobody counts the callers")
        try:
            where = f"{self.url.rstrip('/')}/api/v1/query"
            answer = httpx.get(where, params={"query": query}, timeout=self.seconds)
            told: dict[str, Any] = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise PrometheusError(
                f"the Prometheus at {self.url} does not answer ({error}): start it or correct "
                "FINPULSE_PROMETHEUS_URL"
            ) from error
        if told.get("status") != "success":
            raise PrometheusError(f"the Prometheus at {self.url} refuses: {told.get('error')}")
        rows = ((row["metric"], float(row["value"][1])) for row in told["data"]["result"])
        return [(labels, value) for labels, value in rows if isfinite(value)]


@dataclass(frozen=True)
class Traffic:
    """Of each arm its answers by outcome, and the time of its slowest in a hundred (seconds)."""

    answers: dict[str, dict[str, float]] = field(default_factory=dict)
    slowest: dict[str, float] = field(default_factory=dict)
    why: str = ""

    def count(self, arm: str) -> float:
        """All answers of an arm."""
        return sum(self.answers.get(arm, {}).values())

    def failed(self, arm: str) -> float:
        """The share of them that failed, in percent."""
        return 100.0 * self.answers.get(arm, {}).get("failed", 0.0) / max(self.count(arm), 1e-9)


def traffic(server: Prometheus, release: Rollout, seconds: float) -> Traffic:
    """What both arms did in the last `seconds`; `why` says so where nobody knows."""
    bundles = f"{release.champion[:12]}|{release.bundle[:12]}"
    where = f'universe="{release.universe}",target="{release.target}",bundle=~"{bundles}"'
    span = (where, max(_SHORTEST_SECONDS, round(seconds)))
    found = Traffic()
    try:
        for labels, value in server.ask(_ANSWERS % span):
            found.answers.setdefault(labels["arm"], {})[labels["outcome"]] = value
        for labels, value in server.ask(_SLOWEST % span):
            found.slowest[labels["arm"]] = value
    except PrometheusError as error:
        return Traffic(why=str(error))
    return found


def checks(seen: Traffic, least: int) -> list[Check]:
    """Enough answers per arm, failed ones in points and the slowest in ms, by difference.

    Where the challenger fails, it need not fail often enough to have been asked enough.
    """
    champion, challenger = (seen.count(arm) for arm in ARMS)
    enough = min(champion, challenger) >= least
    few = seen.why or f"each arm needs {least} answers in this step"
    asked = Check(
        "answers",
        PASS if enough else NO_DATA,
        f">= {least} each",
        champion,
        challenger,
        "" if enough else few,
    )
    return [asked, _errors(seen, enough), _latency(seen, enough)]


def _errors(seen: Traffic, enough: bool) -> Check:
    champion, challenger = (seen.failed(arm) for arm in ARMS)
    limit = f"+{MOST_POINTS} points"
    failed = seen.answers.get("challenger", {}).get("failed", 0.0)
    if not enough and failed < 1.0:
        return Check("failed answers, %", NO_DATA, limit)
    why = f"{failed:.0f} of its answers failed, {challenger:.2f} % against {champion:.2f} %"
    return within("failed answers, %", champion, challenger, champion + MOST_POINTS, limit, why)


def _latency(seen: Traffic, enough: bool) -> Check:
    name, limit = "slowest answer in 100, ms", f"+{MOST_MILLISECONDS:g} ms"
    if not enough or set(ARMS) - set(seen.slowest):
        return Check(name, NO_DATA, limit)
    champion, challenger = (1e3 * seen.slowest[arm] for arm in ARMS)
    why = f"{challenger:.2f} ms against {champion:.2f} ms"
    found = within(name, champion, challenger, champion + MOST_MILLISECONDS, limit, why)
    assert found.result in (PASS, FAIL)
    return found
