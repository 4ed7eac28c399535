"""Airflow over its REST API: events of the ledgers' assets, each of which wakes a DAG."""

from collections.abc import Mapping
from typing import Any

import httpx

from contracts.expected import Expected

# The asset on which `dags/forecast_the_champion.py` is scheduled.
LEDGER = "finpulse://ledger/promotions"


class AirflowError(Expected, RuntimeError):
    """Airflow does not answer or refused; the message names the server and what it said."""


class Airflow:
    """One Airflow and the login that may post events there; it logs in when it is first asked.

    seconds: how long it may be silent within one call.
    """

    def __init__(self, url: str, user: str, password: str, seconds: float = 5) -> None:
        self.url = url
        self._login = {"username": user, "password": password}
        self._http = httpx.Client(base_url=url, timeout=seconds)

    def ledger(self, uri: str = LEDGER) -> int:
        """The id of a ledger's asset; raises AirflowError, also while no DAG waits for it."""
        found = self._ask("GET", "assets", params={"uri_pattern": uri})["assets"]
        known = [int(asset["id"]) for asset in found if asset["uri"] == uri]
        if not known:
            raise AirflowError(
                f"the Airflow at {self.url} knows no asset {uri}: let it read the folder dags/"
            )
        return known[0]

    def tell(self, about: Mapping[str, str], uri: str = LEDGER) -> None:
        """Post an event of a ledger; `about` is shown beside it. Raises AirflowError."""
        event = {"asset_id": self.ledger(uri), "extra": dict(about)}
        self._ask("POST", "assets/events", json=event)

    def told(self, about: Mapping[str, str], uri: str) -> bool:
        """Whether one of the newest hundred events of a ledger says that; raises AirflowError."""
        asked = {"asset_id": self.ledger(uri), "order_by": "-timestamp", "limit": 100}
        known = self._ask("GET", "assets/events", params=asked)["asset_events"]
        # Airflow adds words of its own.
        return any(about.items() <= (event["extra"] or {}).items() for event in known)

    def _ask(self, verb: str, path: str, **request: Any) -> dict[str, Any]:
        try:
            answer = self._http.request(verb, f"/api/v2/{path}", **request)
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                self._authorise()
                answer = self._http.request(verb, f"/api/v2/{path}", **request)
        except httpx.TransportError as error:
            raise AirflowError(
                f"the Airflow at {self.url} does not answer ({error}): start it or correct "
                "FINPULSE_AIRFLOW_URL"
            ) from error
        return self._sound(answer, path)

    def _authorise(self) -> None:
        self._http.headers.pop("Authorization", None)
        token = self._sound(self._http.post("/auth/token", json=self._login), "auth/token")
        self._http.headers["Authorization"] = f"Bearer {token['access_token']}"

    def _sound(self, answer: httpx.Response, path: str) -> dict[str, Any]:
        # Another service at that address answers, but not as Airflow does.
        spoken = answer.headers.get("content-type", "").startswith("application/json")
        if answer.is_error or not spoken:
            raise AirflowError(
                f"the Airflow at {self.url} refused {path}: {answer.status_code} "
                f"{answer.text[:300]}; expected an Airflow 3 and a user with the role op: see "
                "FINPULSE_AIRFLOW_URL, FINPULSE_AIRFLOW_USER and FINPULSE_AIRFLOW_PASSWORD"
            )
        return dict(answer.json())
