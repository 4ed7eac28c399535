"""How both arms answer their callers, as Prometheus has counted since the step began."""

from dataclasses import dataclass, field
from math import inf, isfinite, nan
from typing import Any

import httpx
from scipy import special

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
_TIMES = "sum by (arm, le) (increase(finpulse_arm_answer_duration_seconds_bucket{%s}[%ds]))"
_SLOWEST = 0.01
# Of few answers the slowest in a hundred is the slowest: one that the machine delayed. How unlikely
# so many slow ones must be of a challenger that is as quick.
_UNLIKELY = 0.001


class PrometheusError(Expected, RuntimeError):
    """Prometheus does not answer or refuses; the message names the server."""


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus that scrapes the predictor; url: empty where there is none."""

    url: str
    seconds: float = 10.0

    def ask(self, query: str) -> list[tuple[dict[str, str], float]]:
        """Labels and values of an instant query.

        Raises PrometheusError, also where it knows a part only or a value is no number.
        """
        if not self.url:
            raise PrometheusError(
                "FINPULSE_PROMETHEUS_URL is not set: nobody counts the callers; let a Prometheus "
                "scrape the predictor (infra/prometheus/prometheus.yml) and set it to its URL"
            )
        try:
            where = f"{self.url.rstrip('/')}/api/v1/query"
            answer = httpx.get(where, params={"query": query}, timeout=self.seconds)
            told: dict[str, Any] = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise PrometheusError(
                f"the Prometheus at {self.url} does not answer ({error}): start it or correct "
                "FINPULSE_PROMETHEUS_URL"
            ) from error
        try:
            if told["status"] != "success":
                raise PrometheusError(f"the Prometheus at {self.url} refuses: {told.get('error')}")
            rows = [(row["metric"], float(row["value"][1])) for row in told["data"]["result"]]
        except (LookupError, TypeError, ValueError) as error:
            raise PrometheusError(
                f"what answers at {self.url} is no Prometheus ({type(error).__name__}: {error}): "
                "correct FINPULSE_PROMETHEUS_URL"
            ) from error
        if told.get("warnings") or not all(isfinite(value) for _, value in rows):
            why = told.get("warnings") or "a value is no number"
            raise PrometheusError(f"the Prometheus at {self.url} does not know all: {why}")
        return rows


@dataclass(frozen=True)
class Traffic:
    """Of each arm its answers by outcome, and how many took at most so many seconds."""

    answers: dict[str, dict[str, float]] = field(default_factory=dict)
    times: dict[str, dict[float, float]] = field(default_factory=dict)
    why: str = ""

    def slowest(self, arm: str) -> float:
        """The time that one answer in a hundred exceeds, as Prometheus reads a histogram; NaN
        where there is none, or not all bounds are known."""
        below, before = 0.0, 0.0
        known = sorted(self.times.get(arm, {}).items())
        wanted = (1.0 - _SLOWEST) * known[-1][1] if known and known[-1][0] == inf else 0.0
        for bound, count in known:
            if count >= wanted > 0:
                share = (wanted - before) / max(count - before, 1e-9)
                return below + share * (bound - below) if isfinite(bound) else below
            below, before = bound, count
        return nan

    def slower(self, arm: str, seconds: float) -> tuple[int, int]:
        """How many of an arm's answers surely took longer, and how many there are."""
        known = self.times[arm]
        bound = min(bound for bound in known if bound >= seconds)
        return round(known[inf] - known[bound]), round(known[inf])

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
    return read(server, _ANSWERS % span, _TIMES % span)


def read(server: Prometheus, answers: str, times: str) -> Traffic:
    """The traffic that two queries tell of: by arm and outcome, and by arm and `le`."""
    found = Traffic()
    try:
        for labels, value in server.ask(answers):
            found.answers.setdefault(labels["arm"], {})[labels["outcome"]] = value
        for labels, value in server.ask(times):
            found.times.setdefault(labels["arm"], {})[float(labels["le"])] = value
    except PrometheusError as error:
        return Traffic(why=str(error))
    except LookupError as error:
        return Traffic(why=f"the Prometheus at {server.url} answers without the label {error}")
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
    champion, challenger = (seen.slowest(arm) for arm in ARMS)
    if not enough or not isfinite(champion + challenger):
        return Check(name, NO_DATA, limit)
    most = champion + MOST_MILLISECONDS / 1e3
    slow, asked = seen.slower("challenger", most)
    chance = float(special.bdtrc(slow - 1, asked, _SLOWEST)) if slow else 1.0
    failed = challenger > most and chance < _UNLIKELY
    why = f"{1e3 * challenger:.2f} ms against {1e3 * champion:.2f} ms, {slow} of {asked} answers"
    sides = 1e3 * champion, 1e3 * challenger
    return Check(name, FAIL if failed else PASS, limit, *sides, why if failed else "")
