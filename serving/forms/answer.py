"""The forms of requests and answers: what `/docs` shows and callers may rely on."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, Self

import orjson
from fastapi import Query, Response
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

MOST_SYMBOLS = 1_000
# No control characters: neither a log nor the database may meet them.
_PLAIN = r"^[^\x00-\x1f\x7f]+$"
Symbol = Annotated[str, Field(min_length=1, max_length=40, pattern=_PLAIN)]
Universe = Annotated[str, Field(min_length=1, max_length=100, pattern=_PLAIN)]
Target = Annotated[str, Field(min_length=1, max_length=100, pattern=_PLAIN)]
AskedUniverse = Annotated[Universe | None, Query(description="default: the predictor's own")]
AskedTarget = Annotated[Target | None, Query(description="default: what /predict answers")]


def _utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"expected a time that has one in UTC, found {time}") from None


# In UTC from the door on: Postgres knows fewer offsets than callers do.
AsOf = Annotated[AwareDatetime, AfterValidator(_utc)]


class PredictRequest(BaseModel):
    """Symbols to ask about: `symbols`, or one `symbol`."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"symbols": ["SIM001", "SIM002"]}]}
    )

    symbols: list[Symbol] = Field(default_factory=list, max_length=MOST_SYMBOLS)
    symbol: Symbol | None = None
    universe: Universe | None = Field(
        None, description="default: the predictor's own, or else the first that holds them all"
    )
    horizon: int | None = Field(
        None, description="sessions ahead; default: the shortest of the universe's"
    )
    as_of: AsOf | None = Field(
        None, description="the newest forecast decided at or before this time; default: newest"
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.symbol is None) == (not self.symbols):
            raise ValueError('expected either "symbols", a list of names, or "symbol", one name')
        return self

    @property
    def asked(self) -> list[str]:
        """The symbols in the order asked, each once."""
        return list(dict.fromkeys([self.symbol] if self.symbol else self.symbols))


class Asset(BaseModel):
    """A symbol that can be asked about, and its newest forecast."""

    symbol: str
    instrument_id: str
    session: date
    as_of: datetime


class AssetsAnswer(BaseModel):
    """Every symbol that a served champion forecasts."""

    universe: str
    universes: list[str] = Field(description="all that are served, the predictor's own first")
    target: str
    horizon: int = Field(description="sessions ahead")
    model_version: int
    data_origin: str = Field(description="simulated or real")
    assets: list[Asset]


class OfficeAnswer(BaseModel):
    """Which versions are served and in office; `waiting` says why they differ, if they do."""

    universe: str
    target: str
    version: int | None = Field(description="null where nobody is served")
    in_office: int
    waiting: str


class StagedAnswer(BaseModel):
    """A challenger that answers a share of its universe's callers; `fault` says why it cannot."""

    universe: str
    target: str
    version: int
    bundle: str
    stage: Literal["shadow", "canary"]
    share: float
    fault: str


class ModelAnswer(BaseModel):
    """A served champion; `waiting` says why the one in office is another, if it is."""

    universe: str
    target: str
    version: int
    bundle: str
    promotion: dict[str, Any]
    manifest: dict[str, Any]
    symbols: list[str]
    data_origin: str
    in_office: dict[str, Any]
    waiting: str
    offices: list[OfficeAnswer] = Field(description="all of them, this one too")
    staged: list[StagedAnswer] = Field(description="challengers on their way into office")


class LiveAnswer(BaseModel):
    """The process answers."""

    status: Literal["live"]


class ReadyAnswer(BaseModel):
    """A checked champion is served, and forecasts renew themselves."""

    status: Literal["ready"]
    version: int
    data_age_seconds: float = Field(description="now minus the newest as_of")
    waiting: dict[str, str] = Field(
        description="office -> why its champion is not the one that is served"
    )


class ErrorAnswer(BaseModel):
    """Why a request was refused and what to do; `code` is stable."""

    code: str
    message: str
    request_id: str


def json_response(
    body: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """JSON by orjson, past the framework's encoder: it is most of an answer's time."""
    return Response(orjson.dumps(body), status, headers, media_type="application/json")
