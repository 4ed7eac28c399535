"""The forms of what is said of one symbol by everybody, and of all symbols by one."""

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from serving.forms.answer import Target


class Said(BaseModel):
    """What one champion foretells of a symbol; `says` has the fields of its objective."""

    target: str
    objective: str
    horizon: int = Field(description="sessions ahead")
    says: dict[str, Any]
    model_version: int
    bundle: str = Field(description="hash of the model")
    prediction_id: str = Field(description="GET /explain/{prediction_id} tells what it rests on")
    as_of: datetime = Field(description="when it was decided")


class AnalysisAnswer(BaseModel):
    """All that the champions of a universe foretell of a symbol."""

    universe: str
    symbol: str
    instrument_id: str
    session: date
    as_of: datetime = Field(description="when the newest of it was decided")
    data_age_seconds: float = Field(description="now minus as_of")
    data_origin: str = Field(description="simulated or real")
    forecasts: list[Said] = Field(description="by objective and horizon")


class Order(BaseModel):
    """By which forecasts, and in which order, symbols are ranked."""

    model_config = ConfigDict(extra="forbid")

    target: Target | None = Field(default=None, description="default: what /predict answers")
    by: str | None = Field(
        default=None, description="a number of the forecast; default: its objective's"
    )
    limit: int = Field(default=10_000, ge=1, le=10_000)
    ascending: bool = False


class Ranked(BaseModel):
    """One symbol in its place."""

    rank: int = Field(description="from 1")
    symbol: str
    value: float
    prediction_id: str


class RankingAnswer(BaseModel):
    """The symbols of a universe by a number of their newest forecasts."""

    universe: str
    target: str
    horizon: int = Field(description="sessions ahead")
    by: str
    session: date = Field(description="the newest that was forecast")
    model_version: int
    data_origin: str = Field(description="simulated or real")
    ranking: list[Ranked]
    older: list[str] = Field(description="symbols without a forecast of that session")
