"""The form of what a forecast rests on."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field


class Sum(BaseModel):
    """One number that a model says, as a sum: base, features and rest make the total."""

    base: float = Field(description="what is said without any feature")
    features: dict[str, float] = Field(description="what the largest add")
    rest: float = Field(description="what all other features add")
    total: float


class Part(BaseModel):
    """What the features add to what one model of the champion says."""

    model: str
    method: str = Field(
        description="tree_shap, terms, factors, integrated_gradients or gate_weights; "
        "within_scale: of one of them, times volatility"
    )
    scale: Literal["scores", "answers"] = Field(
        description="what totals are: answers, or what the model's link makes answers of"
    )
    said: dict[str, Sum] = Field(description="by the answer's columns")


class ExplainAnswer(BaseModel):
    """A forecast and what it rests on, as both were written down when it was made."""

    prediction_id: str
    universe: str
    target: str
    symbol: str
    session: date
    horizon: int = Field(description="sessions ahead")
    as_of: datetime
    bundle: str = Field(description="hash of the model")
    model_version: int
    origin: str
    forecast: dict[str, Any]
    signal: str | None
    parts: list[Part]
    given: dict[str, float | None] = Field(description="the values of those features")
    news: dict[str, float | None] = Field(description="features made of headlines")
