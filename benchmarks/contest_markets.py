"""How often one contest is won by luck, by an equal and by a better model, whatever is foretold.

    python benchmarks/contest_markets.py [--draws 2000] [--markets 200]

First by the gains of a session alone, in their own deviation: a contest sees nothing else, so that
the tables hold for every objective. Labels of h sessions make gains that depend on h - 1 before.
Then on markets where experts of each objective really learn, and meet their champion zero.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import pyarrow as pa
import typer

from contracts.champion import PROMOTED
from training.evidence.decision import Comparison, Parties, Rules, compare, decide
from training.evidence.luck import sharpe
from training.evidence.walk import Learner
from training.expert import EXPERTS
from training.forecast import Floats
from training.objective import OBJECTIVES, Forecasts, Loss, Objective
from training.samples.samples import Samples, from_matrix

SESSIONS = 440  # of a contest, by the settings
LEARNT, INSTRUMENTS = 300, 12
PARTIES = Parties("simulated", "any", "challenger", "champion", 1)
# Without a margin: what a gain must be besides sure can only make promotions rarer.
ANY = Loss("any", lambda said, _: said.values[:, 0], 0.0)
# What estimates of a volatility that never changes deviate by, in logarithms, over that many bars:
# a session's own by 0.27 (Garman and Klass), those of more by its root; a market has twelve.
NIGHTLY = 0.27
REALISED = {
    **{"realised_volatility_1": 1, "realised_volatility_5": 5, "realised_volatility_22": 22},
    **{"realised_volatility_66": 66, "realised_volatility_decayed": 16},
    **{"market_volatility_1": INSTRUMENTS, "market_volatility_5": 5 * INSTRUMENTS},
}
# An expert that learns on few rows, by the objective, and an effect that it can find.
LEARNERS = {"trend": ("logistic", 0.15), "volatility": ("har", 1.0)}
FIELDS = {"har": {"terms": tuple(name for name in REALISED if "decayed" not in name)}}
EQUAL, JITTER = "an equal", 0.1


@dataclass(frozen=True)
class Gains:
    """ratio: the mean gain of a session over its deviation; span: sessions of a label.

    tails: of Student's law with three degrees, else normal.
    """

    ratio: float = 0.0
    span: int = 1
    tails: bool = False
    sessions: int = SESSIONS

    def drawn(self, seed: int) -> Floats:
        """The gains of the sessions of one contest, (sessions,)."""
        random, count = np.random.default_rng(seed), self.sessions + self.span - 1
        steps = (
            random.standard_t(3, count) / np.sqrt(3) if self.tails else random.normal(size=count)
        )
        return self.ratio + np.convolve(steps, np.ones(self.span), "valid") / np.sqrt(self.span)

    def promoted(self, seed: int) -> bool:
        """Whether the challenger of these gains takes office."""
        gains = self.drawn(seed)
        days = np.arange(len(gains)).astype("datetime64[D]")
        found = Comparison(ANY, -gains, np.zeros(len(gains)), days, overlap=self.span)
        return decide(PARTIES, found, Rules()).outcome == PROMOTED


def share(setting: Gains, draws: int, seed: int = 0) -> float:
    """The share of contests that put the challenger into office; seed: of the first one."""
    return float(np.mean([setting.promoted(seed + each) for each in range(draws)]))


def market(objective: Objective, effect: float, seed: int) -> Samples:
    """Settled rows in which one feature moves the truth by `effect`; a session's rows share noise.

    Classes are cut from a latent number; a volatility of five sessions is its exponential, of which
    the newest session's tells as far as the effect goes, and what else was realised is noise.
    """
    random, names = np.random.default_rng(seed), ("one", "other", "third")
    shape = (LEARNT + SESSIONS, INSTRUMENTS)
    told = random.normal(size=shape)
    latent = effect * told + 0.5 * random.normal(size=(shape[0], 1)) + random.normal(size=shape)
    days = np.repeat(np.datetime64("2020-01-01", "D") + np.arange(shape[0]), INSTRUMENTS)
    closes = days.astype("datetime64[us]") + np.timedelta64(20, "h")
    stocks = np.tile([f"M{place:02d}" for place in range(INSTRUMENTS)], shape[0])
    classes = objective.name == "trend"
    noise = [random.normal(size=told.size) for _ in REALISED]
    known = {names[0]: told.ravel(), **dict(zip(names[1:], noise, strict=False))}
    if not classes:
        bars = zip(REALISED.items(), noise, strict=True)
        known = {name: np.exp(NIGHTLY / np.sqrt(n) * x - 4) for (name, n), x in bars}
        known["realised_volatility_1"] = np.exp(NIGHTLY * told.ravel() - 4)
    number = np.exp(NIGHTLY / np.sqrt(5) * latent - 4)
    truth = np.digitize(latent, (-0.6, 0.6)) if classes else number
    moment, flat = pa.timestamp("us", "UTC"), np.zeros(told.size, bool)
    return from_matrix(
        pa.table(
            {
                "instrument_id": stocks,
                "symbol": stocks,
                "session": pa.array(days),
                "as_of": pa.array(closes).cast(moment),
                **{name: pa.array(x.astype(np.float32)) for name, x in known.items()},
                "label": pa.array(truth.ravel()),
                "settled_at": pa.array(closes + np.timedelta64(24, "h")).cast(moment),
                "delisted": flat,
                "ambiguous": flat,
            }
        )
    )


def held(objective: Objective, champion: str, effect: float, seed: int) -> tuple[bool, float]:
    """Whether an expert that learnt wins against a champion, and the ratio of its gains.

    champion: another expert, which learnt the same rows; or EQUAL: the same one, where both say
    what was learnt with an error of their own, so that neither is better.
    """
    samples = market(objective, effect, seed)
    days = np.unique(samples.sessions)
    learnt = samples.take(samples.sessions < days[LEARNT - 1])
    test = samples.take(samples.sessions >= days[LEARNT])
    ours = _answer(LEARNERS[objective.name][0], objective, learnt, test)
    if champion == EQUAL:
        random = np.random.default_rng(seed + 1_000_000)
        ours, theirs = (_jittered(ours, random) for _ in range(2))
    else:
        theirs = _answer(champion, objective, learnt, test)
    found = compare(ours, theirs, test.truth, test.sessions)
    gains = found.champion - found.challenger
    per_day = [gains[found.sessions == day].mean() for day in np.unique(found.sessions)]
    decided = decide(PARTIES, found, Rules())
    return decided.outcome == PROMOTED, sharpe(np.array(per_day)) if np.ptp(per_day) else 0.0


def _jittered(said: Forecasts, random: np.random.Generator) -> Forecasts:
    head = said.objective.head
    raised = said.values * np.exp(JITTER * random.normal(size=said.values.shape))
    return Forecasts(said.objective, head.from_means(raised ** getattr(head, "moment", 1)))


def _answer(name: str, objective: Objective, train: Samples, test: Samples) -> Forecasts:
    return Learner(EXPERTS.get(name)(**FIELDS.get(name, {})), objective).answer(train, test)


def lines(draws: int) -> Iterator[str]:
    """The tables of gains: noise, then real gains, by the span of labels."""
    for span in (1, 5, 20):
        for tails in (False, True):
            noise = share(Gains(0.0, span, tails), draws)
            yield f"noise: labels of {span}, {'t3' if tails else 'normal'}: {noise:.1%}"
    for span in (1, 5, 20):
        for times in (0.1, 0.14, 0.18):
            ratio = times * np.sqrt(span)
            won = share(replace(Gains(), ratio=ratio, span=span), draws)
            yield f"gain: labels of {span}, ratio {ratio:.2f}: {won:.1%}"


def main(
    draws: Annotated[int, typer.Option(help="contests of each line of gains")] = 2000,
    markets: Annotated[int, typer.Option(help="markets of each line where experts learn")] = 200,
) -> None:
    """Print the lines of both tables in docs/training.md as they come."""
    for line in lines(draws):
        typer.echo(line)
    for name, (_, planted) in LEARNERS.items():
        objective = OBJECTIVES.get(name)
        kinds = (
            ("noise against champion zero", objective.zero, 0.0),
            ("an equal against an equal", EQUAL, planted),
            ("a better one against champion zero", objective.zero, planted),
        )
        for kind, champion, effect in kinds:
            found = [held(objective, champion, effect, seed) for seed in range(markets)]
            won, ratio = np.mean([w for w, _ in found]), np.mean([r for _, r in found])
            typer.echo(f"{name}: {kind}: {won:.1%} of {markets} markets, mean ratio {ratio:+.3f}")


if __name__ == "__main__":
    typer.run(main)
