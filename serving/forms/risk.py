"""The form of a portfolio's risk."""

from datetime import date
from typing import Any

from pydantic import BaseModel, Field


class RiskAnswer(BaseModel):
    """What a portfolio would have lost: one session each, losses as positive fractions."""

    universe: str
    weights: dict[str, float]
    data_origin: str = Field(description="simulated or real")
    sessions: int = Field(description="in which all members traded")
    first: date
    last: date
    var_95: float = Field(description="historical simulation: exceeded in 5 % of the sessions")
    var_99: float
    var_95_interval: list[float] = Field(description="95 %, were sessions independent")
    var_99_interval: list[float]
    es_95: float = Field(description="mean loss of the worst 5 % of the sessions")
    es_99: float
    volatility: float = Field(description="standard deviation of a session's return")
    max_drawdown: float = Field(description="largest fall from a peak in these sessions")
    beta: float = Field(description="against the equal weight of the universe")
    stress: dict[str, dict[str, Any]]
