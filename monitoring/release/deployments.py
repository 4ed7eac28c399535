"""The same questions about a new image: pods of the track `canary` beside those of `stable`.

Nothing is written down: who is deployed is the cluster's to know, and the workflow's to change.
"""

from contracts.settings import settings
from monitoring.release import traffic
from monitoring.release.check import FAIL, NO_DATA, PASS, Check
from monitoring.release.traffic import Prometheus, PrometheusError, read

_ARM = (
    'label_replace(label_replace({}, "arm", "champion", "track", "stable"), '
    '"arm", "challenger", "track", "canary")'
)
_ASKED = 'track=~"stable|canary",route=~"/predict.*"'
_ANSWERS = (
    "label_replace(label_replace(sum by (track, status) (increase(finpulse_http_requests_total{%s}"
    '[%ds])), "outcome", "answered", "status", ".*"), "outcome", "failed", "status", "5..")'
)
_TIMES = "sum by (track, le) (increase(finpulse_http_request_duration_seconds_bucket{%s}[%ds]))"
# Of pods that are as old as the release: all that they ever counted.
_COMPARED = 'sum(finpulse_feature_comparisons_total{track="canary"})'
_APART = 'sum(finpulse_feature_skew_total{track="canary"})'
_WAITING = 'max(sum by (instance) (finpulse_serving_office_waiting{track="%s"}))'


def checks(seconds: float) -> list[Check]:
    """What the callers of the last `seconds`, the offices and the features say of the canary."""
    server, span = Prometheus(settings().prometheus_url), (_ASKED, round(seconds))
    answers = f"sum by (arm, outcome) ({_ARM.format(_ANSWERS % span)})"
    seen = read(server, answers, _ARM.format(_TIMES % span))
    return [*traffic.checks(seen, settings().release_requests), _offices(server), _skew(server)]


def _offices(server: Prometheus) -> Check:
    """An image that cannot serve a champion in office has another one wait, or nobody."""
    name, limit = "offices that wait", "as many"
    stable, canary = (_number(server, _WAITING % track) for track in ("stable", "canary"))
    if stable is None or canary is None:
        return Check(name, NO_DATA, limit, stable, canary, "no pod of a track was scraped")
    held = canary <= stable
    return Check(name, PASS if held else FAIL, limit, stable, canary)


def _skew(server: Prometheus) -> Check:
    name, limit = "feature skew, values", "0"
    compared, apart = _number(server, _COMPARED), _number(server, _APART)
    if not compared:
        return Check(name, NO_DATA, limit, why="the canary has compared no features yet")
    return Check(name, FAIL if apart else PASS, limit, None, apart or 0.0)


def _number(server: Prometheus, query: str) -> float | None:
    try:
        found = server.ask(query)
    except PrometheusError:
        return None
    return found[0][1] if found else None
