"""A step in a pod of its own, where the scheduler stands in a cluster (helm/platform).

The chart gives a file that describes the pod; the step adds its words, its variables and a name
that is the same for each try of a task: a scheduler that was started anew goes on with the pod that
is still at work.
"""

import json
import os
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

FILE = "STEP_POD"
# What Kubernetes gives a pod that may call its API.
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
PAUSE, TRIES = 2.0, 5
ENDED = ("Succeeded", "Failed")
_GONE = 404
_THERE = 409


class PodLost(Exception):
    """The pod ended without an exit status: evicted, deleted, or its node is gone."""


def template() -> dict[str, Any] | None:
    """The pod that the chart describes; None outside of a cluster."""
    named = os.environ.get(FILE)
    if not named:
        return None
    found: dict[str, Any] = json.loads(Path(named).read_text())
    return found


def described(
    pod: dict[str, Any], key: str, argv: Sequence[str], environment: Mapping[str, str]
) -> dict[str, Any]:
    """The pod of a task: `key` names it, and its one container runs these words."""
    made: dict[str, Any] = json.loads(json.dumps(pod))
    start = "".join(c if c.isalnum() else "-" for c in key.lower())[:40].strip("-")
    made["metadata"]["name"] = f"{start}-{sha256(key.encode()).hexdigest()[:10]}"
    [container] = made["spec"]["containers"]
    container["command"] = list(argv)
    told = [{"name": name, "value": value} for name, value in sorted(environment.items())]
    container["env"] = [*container.get("env", []), *told]
    return made


class Pods:
    """The API server, as the pod's own account sees it."""

    def __init__(self, say: Callable[[str], None], account: Path = ACCOUNT) -> None:
        self._say = say
        self._account = account
        host = os.environ["KUBERNETES_SERVICE_HOST"]
        port = os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        # Without the cluster's certificate there is nothing that https could be checked by.
        self._url = f"{'https' if (account / 'ca.crt').exists() else 'http'}://{host}:{port}"
        self._namespace = (account / "namespace").read_text().strip()

    def run(self, pod: dict[str, Any]) -> tuple[int, str]:
        """The exit status and the last line of a pod, which is made unless it is there, and then
        deleted; raises PodLost."""
        name = pod["metadata"]["name"]
        while (answer := self._ask("POST", "", json=pod)).status_code == _THERE:
            if not self._ended(name):
                self._say(f"the pod {name} is still at work: going on with it")
                break
            self.delete(name)
            time.sleep(PAUSE)
        else:
            answer.raise_for_status()
        try:
            last = self._heard(name)
            return self._status(name), last
        finally:
            self.delete(name)

    def delete(self, name: str) -> None:
        """Let a pod end; one that is gone is no fault."""
        with suppress(Exception):
            self._ask("DELETE", name)

    def _heard(self, name: str) -> str:
        """Say the lines of a pod as they come until it has ended; the last one."""
        lines: list[str] = []
        while True:
            phase = self._phase(name)
            if phase != "Pending":
                log = self._ask("GET", f"{name}/log")
                found = log.text.splitlines() if log.is_success else []
                for line in found[len(lines) :]:
                    self._say(line)
                lines = found if len(found) >= len(lines) else lines
            if phase in ENDED:
                return lines[-1] if lines else ""
            time.sleep(PAUSE)

    def _ended(self, name: str) -> bool:
        with suppress(PodLost):
            pod = self._pod(name)
            phase = pod["status"].get("phase")
            return phase in ENDED or "deletionTimestamp" in pod["metadata"]
        return True

    def _phase(self, name: str) -> str:
        return str(self._pod(name)["status"].get("phase", "Pending"))

    def _status(self, name: str) -> int:
        status = self._pod(name)["status"]
        for each in status.get("containerStatuses", []):
            if ended := each.get("state", {}).get("terminated"):
                return int(ended["exitCode"])
        told = status.get("reason") or status.get("message") or "no reason was given"
        raise PodLost(f"the pod {name} ended without an exit status: {told}")

    def _pod(self, name: str) -> dict[str, Any]:
        answer = self._ask("GET", name)
        if answer.status_code == _GONE:
            raise PodLost(f"the pod {name} was deleted")
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        import httpx

        url = f"{self._url}/api/v1/namespaces/{self._namespace}/pods/{path}".rstrip("/")
        # The token is renewed while we run.
        token = (self._account / "token").read_text().strip()
        authority = self._account / "ca.crt"
        trusted = ssl.create_default_context(cafile=authority) if authority.exists() else True
        options |= {"headers": {"Authorization": f"Bearer {token}"}, "verify": trusted}
        for _ in range(TRIES - 1):
            with suppress(httpx.TransportError):
                return httpx.request(method, url, timeout=60, **options)
            time.sleep(PAUSE)
        return httpx.request(method, url, timeout=60, **options)
