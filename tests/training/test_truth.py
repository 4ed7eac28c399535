"""What the demo recipe learns on simulated markets: what is planted, and nothing from noise.

docs/training.md says how large the effect is and how often so much data shows it.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest
import simulated

from contracts.champion import FIRST_READER, KEPT, Champion
from contracts.cut import Cut
from contracts.settings import settings
from contracts.store import Store
from contracts.universe import universe
from training.ensemble import ENSEMBLES
from training.evidence.decision import Decision
from training.evidence.evidence import Evidence, Value, gather
from training.evidence.walk import Learner, walk, walk_together
from training.expert import EXPERTS
from training.recipe import recipe
from training.run.records import Fit
from training.run.scope import Scope
from training.steps.combine import pack_together
from training.steps.contest import hold
from training.steps.fit import expert_of, pack
from training.text.named import version

SEEDS = (1, 2, 3, 4, 5)
DEMO = recipe("demo")


@dataclass(frozen=True)
class Learnt:
    """The ensemble's evidence on one market, and its contest against champion zero."""

    evidence: Evidence
    decision: Decision

    def gain(self, baseline: str) -> Value:
        """By how much the direction loss is smaller than the baseline's."""
        found = self.evidence.beside[baseline]["direction_loss"]
        return Value(-found.value, -found.high, -found.low)

    @property
    def told(self) -> str:
        """Gain over the class prior, MCC, and the contest, in one line."""
        gain, mcc = self.gain("class_prior"), self.evidence.scores[DEMO.ensemble]["mcc"]
        return (
            f"gain {gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}] nats, MCC {mcc.value:.3f} "
            f"[{mcc.low:.3f}, {mcc.high:.3f}], contest {self.decision.gain:+.4f}, "
            f"p = {self.decision.p_value:.3f}, {self.decision.outcome}"
        )

    @property
    def sure(self) -> bool:
        """Whether it beats class prior and persistence with intervals above zero."""
        return all(self.gain(name).low > 0 for name in ("class_prior", "persistence"))


Learn = Callable[..., Learnt]


@pytest.fixture
def learn(
    new_store: Callable[[], AbstractContextManager[Store]], monkeypatch: pytest.MonkeyPatch
) -> Learn:
    """Makes the market of a seed in a database of its own, and runs the recipe on it, untuned."""

    def learnt(seed: int, noise: bool = False) -> Learnt:
        monkeypatch.setenv("FINPULSE_SIM_SEED", str(seed))
        monkeypatch.setenv("FINPULSE_SIM_NOISE", str(noise))
        with new_store() as store:
            settings.cache_clear()
            _, last, snapshot = simulated.load_market(store, DEMO.view)
            cut = Cut.at(universe(), last, snapshot)
            model = version(FIRST_READER, None)
            scope = Scope(cut, DEMO, settings().contest_sessions, model)
            return Learnt(evidence(store, scope), contest(store, scope))

    return learnt


def evidence(store: Store, scope: Scope) -> Evidence:
    samples = scope.training(store)
    folds = DEMO.cut.split(samples)
    walks = {
        name: walk(Learner(expert_of(scope, name), scope.objective), samples, folds)
        for name in DEMO.experts
    }
    said = [walked.forecasts for walked in walks.values()]
    ensemble = ENSEMBLES.get(DEMO.ensemble)()
    walks[DEMO.ensemble] = walk_together(ensemble, said, samples, folds)
    return gather(walks, samples, folds, scope.overlap)[DEMO.ensemble]


def contest(store: Store, scope: Scope) -> Decision:
    samples = scope.training(store)
    zero = pack(scope, EXPERTS.get(scope.objective.zero)(), samples)
    members = {name: pack(scope, expert_of(scope, name), samples) for name in DEMO.experts}
    ours = pack_together(scope, members, {}, samples)
    against = Champion("zero", scope.universe, "trend_1", zero.hash, "", 1, "", scope.as_of)
    return hold(store, scope, against, Fit(DEMO.ensemble, ours.hash, 2))


@pytest.mark.integration
def test_the_planted_effect_is_found(learn: Learn) -> None:
    assert learn(2).sure


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_of_five_markets_four_show_their_effect_and_noise_shows_none(learn: Learn) -> None:
    planted = {seed: learn(seed) for seed in SEEDS}
    noise = {seed: learn(seed, noise=True) for seed in SEEDS}
    for kind, markets in (("planted", planted), ("noise", noise)):
        for seed, found in markets.items():
            print(kind, seed, found.told)
    assert sum(found.sure for found in planted.values()) >= 4
    assert sum(found.sure for found in noise.values()) <= 1
    assert sum(found.decision.outcome == KEPT for found in noise.values()) >= 4
