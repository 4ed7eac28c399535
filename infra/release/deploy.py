"""Puts a release into a cluster: staging, a canary beside production, production, and back again.

    python infra/release/deploy.py staging --digests '{"predictor": "sha256:...", ...}'
    python infra/release/deploy.py office           # the revisions in office, to come back to
    python infra/release/deploy.py canary --weight 10 --digests ...
    python infra/release/deploy.py production --digests ...
    python infra/release/deploy.py rollback --to '{"predictor": 3, ...}'

It needs a Python of any age from 3.10 on, and `helm` with the rights of whoever runs it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# Facts first: their tables are migrated with the platform, and only ever gain.
CHARTS = ("platform", "monitoring", "predictor")
# Apart from production even where both are in one cluster.
NAMESPACES = {"staging": "finpulse-staging"}
REGISTRY = os.environ.get("RELEASE_REGISTRY", "")
CLOUD = os.environ.get("RELEASE_CLOUD", "")


class ReleaseError(Exception):
    """What was expected, what was found, what to do."""


def helm(*words: str, environment: str = "prod") -> str:
    """What helm prints; raises ReleaseError with what it complains of."""
    command = ["helm", *words, "--namespace", NAMESPACES.get(environment, "finpulse")]
    print("+", " ".join(command), file=sys.stderr, flush=True)
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    except OSError as error:
        raise ReleaseError(f"expected the program helm, found none: {error}") from error
    if done.returncode:
        raise ReleaseError(f"`{' '.join(command[:3])}` failed: {done.stderr.strip()}")
    return done.stdout


def release(chart: str) -> str:
    """The name under which a chart is installed."""
    return f"finpulse-{chart}"


def revision(chart: str) -> int:
    """The newest revision of a release; 0 where it was never installed."""
    # One that was cut off half way is pending, and is there all the same.
    states = ("--deployed", "--failed", "--pending")
    name = f"^{release(chart)}$"
    listed = json.loads(helm("list", "--filter", name, *states, "--output", "json"))
    return int(listed[0]["revision"]) if listed else 0


def install(chart: str, environment: str, digests: Mapping[str, str]) -> None:
    """Bring a chart to an environment's values and the digest of its image."""
    folder = ROOT / "helm" / "values" / chart
    files = [folder / f"{environment}.yaml", *([folder / f"{CLOUD}.yaml"] if CLOUD else [])]
    words = [word for file in files for word in ("--values", str(file.relative_to(ROOT)))]
    upgrade(chart, [*words, *image("image", chart, digests)], environment)


def image(key: str, chart: str, digests: Mapping[str, str]) -> list[str]:
    """The options that name an image by its digest."""
    named = [] if key != "image" or not REGISTRY else [f"{REGISTRY}/finpulse-{chart}"]
    words = [word for each in named for word in ("--set", f"image.repository={each}")]
    return [*words, "--set", f"{key}.digest={digests[chart]}"]


def upgrade(chart: str, words: list[str], environment: str = "prod") -> None:
    """`--wait` is safe: no chart of ours has hooks that would wait for it in turn."""
    place = ["upgrade", "--install", release(chart), f"helm/{chart}", "--create-namespace"]
    helm(*place, *words, "--wait", "--timeout", "10m", environment=environment)


def canary(weight: int, digests: Mapping[str, str]) -> None:
    """Put the challenger's image beside the one in office; all else stays as it is."""
    if not revision("predictor"):
        raise ReleaseError(
            "expected a predictor in production to compare with, found none: the first release is "
            "put there by hand, with `deploy.py production`"
        )
    told = json.loads(helm("get", "values", release("predictor"), "--output", "json")) or {}
    office: dict[str, Any] = {key: value for key, value in told.items() if key != "canary"}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(office, file)
        file.flush()
        words = ["--values", file.name, "--values", "helm/values/predictor/canary.yaml"]
        words += ["--set", f"canary.weight={weight}"]
        upgrade("predictor", [*words, *image("canary.image", "predictor", digests)])


def rollback(before: Mapping[str, int]) -> None:
    """Bring each release back to a revision, what callers see first; one that is there already is
    left alone, and one that fails holds up no other."""
    failed = []
    for chart in filter(before.get, reversed(CHARTS)):
        try:
            found, wanted = revision(chart), before[chart]
            if found != wanted:
                helm("rollback", release(chart), str(wanted), "--wait", "--timeout", "5m")
                print(f"{release(chart)}: revision {found} is back at {wanted}")
        except ReleaseError as error:
            failed.append(str(error))
    if failed:
        raise ReleaseError("; ".join(failed))


def of_charts(kind: type) -> Callable[[str], dict[str, Any]]:
    """Reads a JSON object of charts and values of that kind."""

    def read(text: str) -> dict[str, Any]:
        with suppress(ValueError):
            told = json.loads(text)
            known = isinstance(told, dict) and set(told) <= set(CHARTS)
            if known and all(type(value) is kind for value in told.values()):
                return dict(told)
        named = ", ".join(CHARTS)
        raise argparse.ArgumentTypeError(
            f"expected a JSON object of {named} and each {kind.__name__}, found {text!r}"
        )

    return read


def require(verb: str, digests: Mapping[str, str], before: Mapping[str, int]) -> None:
    """Raise ReleaseError where a verb lacks what it is about, before it has done the half of it."""
    needed = {"office": (), "rollback": (), "canary": ("predictor",)}.get(verb, CHARTS)
    if missing := [chart for chart in needed if chart not in digests]:
        raise ReleaseError(f"expected the digests of {', '.join(missing)} in --digests")
    if verb == "rollback" and not before:
        raise ReleaseError("expected --to with the revisions that `office` printed")


def main() -> int:
    """Do what the words say; returns the exit status."""
    options = argparse.ArgumentParser(description=__doc__)
    verbs = ("staging", "office", "canary", "production", "rollback")
    options.add_argument("verb", choices=verbs)
    options.add_argument(
        "--digests", type=of_charts(str), default={}, help="chart: digest, as JSON"
    )
    options.add_argument("--weight", type=int, default=10, help="percent of the calls")
    options.add_argument("--to", type=of_charts(int), default={}, help="chart: revision, as JSON")
    given = options.parse_args()
    try:
        require(given.verb, given.digests, given.to)
        match given.verb:
            case "office":
                print(json.dumps({chart: revision(chart) for chart in CHARTS}))
            case "canary":
                canary(given.weight, given.digests)
            case "rollback":
                rollback(given.to)
            case _:
                where = "prod" if given.verb == "production" else given.verb
                for chart in CHARTS:
                    install(chart, where, given.digests)
    except ReleaseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
