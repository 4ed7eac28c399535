"""MLflow over its REST API: importing the client costs each task six seconds."""

from typing import Any

import httpx

from contracts.expected import Expected

_ARTIFACTS = "mlflow-artifacts:/"


class TrackingError(Expected, RuntimeError):
    """MLflow does not answer or refused; the message names the server and what it said."""


class Mlflow:
    """The few calls that training makes to an MLflow server.

    seconds: how long it may be silent within one call.
    """

    def __init__(self, url: str, seconds: float = 60) -> None:
        self.url = url
        transport = httpx.HTTPTransport(retries=2)
        limits = httpx.Timeout(seconds, connect=min(seconds, 10))
        self._http = httpx.Client(base_url=url, timeout=limits, transport=transport)

    def call(self, verb: str, path: str, **fields: Any) -> dict[str, Any]:
        """One request to `/api/2.0/<path>`; returns the JSON answer, raises TrackingError."""
        where: dict[str, Any] = {"params": fields} if verb == "GET" else {"json": fields}
        return self._send(verb, path, **where)

    def upload(self, artifact_uri: str, name: str, content: bytes) -> None:
        """Store a file of a run through the server's artifact proxy."""
        if not artifact_uri.startswith(_ARTIFACTS):
            raise TrackingError(
                f"expected an MLflow server that serves artifacts, found artifacts at "
                f"{artifact_uri}: start it with --serve-artifacts"
            )
        place = artifact_uri.removeprefix(_ARTIFACTS).lstrip("/")
        self._send("PUT", f"mlflow-artifacts/artifacts/{place}/{name}", content=content)

    def _send(self, verb: str, path: str, **request: Any) -> dict[str, Any]:
        try:
            answer = self._http.request(verb, f"/api/2.0/{path}", **request)
        except httpx.TransportError as error:
            raise TrackingError(
                f"the MLflow server at {self.url} does not answer ({error}): start the stack with "
                "`make up` or correct FINPULSE_MLFLOW_URL"
            ) from error
        if answer.status_code >= 400:
            raise TrackingError(f"MLflow refused {path}: {answer.status_code} {answer.text[:500]}")
        return dict(answer.json()) if answer.content else {}

    def found(self, verb: str, path: str, **fields: Any) -> dict[str, Any] | None:
        """As `call`; None when the server holds no such thing."""
        try:
            return self.call(verb, path, **fields)
        except TrackingError as error:
            if "RESOURCE_DOES_NOT_EXIST" in str(error):
                return None
            raise
