"""Pages of which places a browser lets call the predictor."""

import re

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from contracts.settings import SettingsError

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?|https?://\[[0-9A-Fa-f:]+\](:\d{1,5})?")

_IMPLIED = re.compile(r"(https://.*):443$|(http://.*):80$")


def parse_origins(text: str) -> list[str]:
    """`https://a.example,http://localhost:3000` as a list, or `*`; raises SettingsError.

    Each as a browser sends it: in small letters, without the port that its scheme implies.
    """
    found = [each.strip().lower() for each in text.split(",") if each.strip()]
    wrong = [each for each in found if not _ORIGIN.fullmatch(each)]
    if wrong and found != ["*"]:
        raise SettingsError(
            "FINPULSE_CORS_ORIGINS: expected scheme://host or scheme://host:port between commas, "
            f"without a path, or * alone; found {wrong[0]!r}"
        )
    return [_IMPLIED.sub(r"\1\2", each) for each in found]


def allow(app: FastAPI, origins: list[str]) -> None:
    """Let pages of these origins read answers, refusals included; outermost of all middleware.

    No cookie is ever taken, so `*` gives away what anybody could ask for.
    """
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Content-Type", "X-API-Key", "X-Caller", "X-Request-ID"],
            expose_headers=["X-Request-ID", "Retry-After"],
            max_age=600,
        )
