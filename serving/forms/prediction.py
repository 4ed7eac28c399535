"""The form of a forecast: what leads, and beside it an object per objective that tells more."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field, create_model

from training.objective import OBJECTIVES, Objective


class Beside(BaseModel):
    """What another champion of the same universe foretells of the symbol."""

    target: str
    horizon: int = Field(description="sessions ahead")
    model_version: int
    bundle: str = Field(description="hash of the model")
    prediction_id: str
    as_of: datetime = Field(description="when this forecast was decided")


class Leading(BaseModel):
    """One forecast: the chance that the price goes down, nowhere or up within the horizon.

    In a universe that has no champion for the trend the three are null, and all else is said of
    the forecast that there is.
    """

    universe: str = Field(description="whose champion answers")
    symbol: str
    instrument_id: str
    session: date
    target: str
    horizon: int = Field(description="sessions ahead")
    p_down: float | None
    p_neutral: float | None
    p_up: float | None
    signal: Literal["buy", "sell", "hold", "abstain"] | None = Field(
        description="by the model's thresholds; null in forecasts older than signals are"
    )
    as_of: datetime = Field(description="when the forecast was decided: the session's close")
    snapshot: int = Field(description="newest load that the forecast has seen")
    data_age_seconds: float = Field(description="now minus as_of")
    model_version: int
    bundle: str = Field(description="hash of the model")
    prediction_id: str
    origin: str = Field(description="live, or backfill when issued for an earlier session")
    issued_at: datetime = Field(description="when it was written down; it never changes")
    data_origin: str = Field(description="simulated or real")


def _object(member: Objective) -> Any:
    said: Any = {
        name: (member.typed.get(name, float) | None, Field(description=what))
        for name, what in member.tells.items()
    }
    form = create_model(member.name.capitalize(), __base__=Beside, **said)
    absent = "null where no champion of the universe foretells it for the symbol"
    return (form | None, Field(description=absent))


Prediction = create_model(
    "Prediction",
    __base__=Leading,
    __doc__=Leading.__doc__,
    **{member.called: _object(member) for member in OBJECTIVES if member.tells},
)


class Missing(BaseModel):
    """A symbol of a batch of which there is nothing to tell, with the code of its refusal."""

    symbol: str
    code: str
    message: str


PredictAnswer = create_model(
    "PredictAnswer",
    __doc__="Forecasts of one universe by one model version, in the order asked.",
    predictions=(list[Prediction], ...),  # type: ignore[valid-type]
    missing=(list[Missing], Field(description="those of the symbols that have no forecast")),
    request_id=(str, ...),
)
