"""The steps `contest`, `promote` and `rescore`: who holds the office of reading texts."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import numpy as np

from contracts.champion import KEPT, PROMOTED, SENTIMENT, Champion, champion
from contracts.store import Store
from training.evidence.decision import Decision
from training.finetune.judging import guesses
from training.finetune.life import Life
from training.office.incumbency import contests_of
from training.office.ledger import deciding, follow, require_champion
from training.office.package import package
from training.office.registration import register_as
from training.reading.scores import Classes, Gain, counts, gain, macro_f1
from training.run import records
from training.run.records import Fit
from training.run.tracking import step
from training.steps.promote import apply
from training.steps.score_text import score, unscored
from training.steps.zero import install_first
from training.text import lexicon
from training.text.named import of_version
from training.text.sets.seen import learnt_by

# How much better a challenger has to be, and how sure; over all contests of one champion the chance
# of a false promotion stays below LEVEL.
MARGIN, LEVEL, FEWEST = 0.01, 0.05, 50


def contest(store: Store, life: Life, now: datetime) -> Decision | None:
    """Let the life's model meet the champion on held-out sets that neither learnt from.

    Nobody in office: VADER takes it first. None when the model is champion already.
    """
    challenger = str(life.require("evaluate")["version"])
    with step(store, life, "contest") as run:
        if champion(store, SENTIMENT) is None:
            plain = lexicon.version()
            number = register_as(run, SENTIMENT, package(SENTIMENT, plain))
            install_first(store, SENTIMENT, Fit(lexicon.VADER, plain, number), now)
        against = require_champion(store, SENTIMENT)
        decision = None if challenger == against.bundle else _held(store, life, challenger, against)
        if decision:
            run.log(metrics=decision.metrics)
            run.tag({"outcome": decision.outcome, "reason": decision.reason})
            run.attach("contest.json", decision.as_json())
        life.leave("contest", decision.as_json() if decision else {})
    return decision


def _held(store: Store, life: Life, challenger: str, against: Champion) -> Decision:
    learnt = {*learnt_by(challenger), *learnt_by(against.bundle)}
    names = [name for name in life.held if name not in learnt]
    ours, theirs = (of_version(each, each, None) for each in (challenger, against.bundle))
    sources = {
        name: (np.array(known.classes), guesses(ours, known.texts), guesses(theirs, known.texts))
        for name in names
        for known in (life.sets[name],)
    }
    texts = "".join(life.sets[name].digest for name in names)
    seen = int(hashlib.sha256(texts.encode()).hexdigest()[:7], 16)
    others = [
        d for d in contests_of(store, SENTIMENT, against.bundle) if d.challenger != challenger
    ]
    blank = Decision(
        universe=SENTIMENT.universe,
        target=SENTIMENT.target,
        challenger=challenger,
        champion=against.bundle,
        snapshot=seen,
        outcome=KEPT,
        reason="no decision: each held-out set has taught one of the two",
        n=sum(len(classes) for classes, *_ in sources.values()),
        sessions=0,
        gain=0.0,
        low=-1.0,
        high=1.0,
        p_value=1.0,
        loss="macro_f1",
        unit="macro-F1",
        others={name: _both(*sides) for name, sides in sources.items()},
    )
    return ruled(blank, gain(list(sources.values())), len(others)) if sources else blank


def _both(classes: Classes, ours: Classes, theirs: Classes) -> list[float]:
    return [float(macro_f1(counts(classes, side))) for side in (ours, theirs)]


def ruled(blank: Decision, found: Gain, earlier: int) -> Decision:
    """The decision on a gain; earlier: contests that the champion has stood against others.

    The k-th contest may spend LEVEL / k (k + 1), which sums to LEVEL over all.
    """
    level = LEVEL / ((earlier + 1) * (earlier + 2))
    shown = f"gain {found.value:+.4f} macro-F1, p = {found.p_value:.4f}"
    doubt = ""
    if blank.n < FEWEST:
        doubt = f"{blank.n} texts are fewer than {FEWEST}"
    elif found.value < MARGIN:
        doubt = f"{shown}: below the margin {MARGIN}"
    elif found.p_value >= level:
        doubt = f"{shown}: needed below {level:.4f} in contest {earlier + 1} of this champion"
    return replace(
        blank,
        outcome=KEPT if doubt else PROMOTED,
        reason=f"no decision: {doubt}" if doubt else shown,
        gain=found.value,
        low=found.low,
        high=found.high,
        p_value=found.p_value,
        all_gain=found.value,
        all_p_value=found.p_value,
        all_level=level,
    )


def promote(store: Store, life: Life, now: datetime) -> tuple[Decision | None, int]:
    """Write the contest's decision into the ledger, then move the alias; ledger rows added.

    Raises StepMissing, StaleContest.
    """
    told = life.require("contest")
    if not told:
        with deciding(store, SENTIMENT):
            follow(store, SENTIMENT)
        return None, 0
    decision = Decision.parse(told)
    number = int(life.require("evaluate")["number"])
    candidate = Fit(life.checkpoint, decision.challenger, number)
    return decision, apply(store, decision, candidate, now)


def rescore(store: Store, now: datetime) -> Iterator[tuple[str, int, int]]:
    """Score all stored texts by who is in office, those that it has not scored yet.

    Yields its version, how many are scored, and of how many.
    """
    in_office = champion(store, SENTIMENT)
    if in_office is None:
        raise records.StepMissing(
            f"{SENTIMENT} has no champion: run `python -m training finetune contest` first"
        )
    scorer = of_version(in_office.bundle, in_office.bundle, None)
    left = unscored(store, now, store.snapshot(), scorer)
    yield scorer.model_version, 0, left.num_rows
    for done in score(store, left, scorer, now):
        yield scorer.model_version, done, left.num_rows
