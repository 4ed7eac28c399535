"""What a training run found, as tables for a terminal."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from math import isfinite
from typing import Any

from rich.table import Table

from contracts.champion import Office, champion
from contracts.store import Store
from features.facts.members import survivors_only
from training.evidence.decision import Decision
from training.evidence.evidence import Evidence, Value
from training.evidence.luck import Luck
from training.objective import OBJECTIVES
from training.run import records

WIDTH = 192
SURVIVORS = "survivor-biased: no member of this universe was ever told to have left it"


def tables(store: Store, office: Office, now: datetime) -> Iterator[Table]:
    """Evidence of the newest challenger, the newest contest's decision, and the champion.

    Reads the ledger and what the steps kept, computes nothing. Results on a universe without dated
    membership say so.
    """
    biased = survivors_only(store, office.universe, now, store.snapshot())
    contested = _newest_contest(store, office)
    in_office = champion(store, office)
    shown = contested["bundle"] if contested else in_office.bundle if in_office else ""
    evidence = records.read_evidence(shown) if shown else None
    if evidence:
        yield evidence_table(evidence, biased)
    if contested:
        yield contest_table(contested, biased)
    if in_office:
        table = Table(title=f"Champion of {office}", show_header=False)
        table.add_row("model", f"{in_office.model_name} version {in_office.model_version}")
        table.add_row("bundle", in_office.bundle)
        table.add_row("since", f"{in_office.decided_at:%Y-%m-%d %H:%M:%S} UTC, {in_office.actor}")
        yield table


def evidence_table(evidence: Evidence, biased: bool) -> Table:
    """Each score with its interval, and under it the paired difference to each baseline.

    biased: whether it was gathered on survivors only.
    """
    title = (
        f"Out of sample, {evidence.first} to {evidence.last}: {evidence.n} rows, "
        f"{evidence.sessions} sessions, {evidence.folds} folds; 95 % intervals"
    )
    metrics, coarse = list(evidence.own), OBJECTIVES.get(evidence.objective).coarse
    table = Table("forecaster", *metrics, title=title, caption=_caption(evidence, biased))

    def row(values: Mapping[str, Value], sign: str = "") -> Iterator[str]:
        return (values[m].told(f"{sign}.{3 if m in coarse else 4}f") for m in metrics)

    for name, values in evidence.scores.items():
        table.add_row(name, *row(values))
    table.add_section()
    for name, values in evidence.beside.items():
        table.add_row(f"{evidence.expert} - {name}", *row(values, "+"))
    return table


def contest_table(row: Mapping[str, Any], biased: bool) -> Table:
    """A row of the ledger that a contest wrote; biased: it was held on survivors only."""
    found = Decision.parse(json.loads(row["evidence"]))
    caption = SURVIVORS if biased else None
    table = Table(title=f"Newest contest: {row['decision']}", show_header=False, caption=caption)
    table.add_row("challenger", f"{row['bundle'][:12]} (version {row['model_version']})")
    table.add_row("champion then", str(row["previous_bundle"])[:12])
    for name, (ours, theirs) in found.others.items():
        table.add_row(name.replace("_", " "), f"challenger {ours:.5f}, champion {theirs:.5f}")
    known = isfinite(found.low)
    ends = f"[{found.low:+.5f}, {found.high:+.5f}]" if known else "(too few sessions)"
    table.add_row(
        f"gain in {found.loss.replace('_', ' ')}",
        f"{found.gain:+.5f} {ends} {found.unit}, p = {found.p_value:.4f}, {found.n} rows of "
        f"{found.sessions} sessions",
    )
    if found.all_sessions:
        table.add_row(
            "all its contests",
            f"{found.all_gain:+.5f} {found.unit}, p = {found.all_p_value:.4f}, needed below "
            f"{found.all_level:.4f}, {found.all_sessions} sessions",
        )
    table.add_row("decision", str(row["reason"]))
    table.add_row("decided", f"{row['decided_at']:%Y-%m-%d %H:%M:%S} UTC, {row['actor']}")
    return table


def _newest_contest(store: Store, office: Office) -> Mapping[str, Any] | None:
    rows = store.query(
        "SELECT decision, bundle, model_version, previous_bundle, actor, reason, "
        "evidence::text AS evidence, decided_at FROM promotions "
        "WHERE universe = %s AND target = %s AND cause = 'contest' ORDER BY number DESC LIMIT 1",
        (office.universe, office.target),
    )
    return next(iter(rows.to_pylist()), None)


def _luck(evidence: Evidence) -> str:
    found, zero = Luck(**evidence.luck), OBJECTIVES.get(evidence.objective).zero
    overfitting = "" if found.overfitting is None else f", PBO {found.overfitting:.2f}"
    return (
        f"gain over {zero} per session: Sharpe {found.sharpe:.3f}, surely above 0 with "
        f"{found.probabilistic:.3f}, above the luck of {found.trials} trials with "
        f"{found.deflated:.3f}{overfitting}, SPA p = {found.spa:.3f}, surely better: "
        f"{', '.join(found.better) or 'nobody'}, among the best: {', '.join(found.among_best)}"
    )


def _caption(evidence: Evidence, biased: bool) -> str:
    learned = OBJECTIVES.get(evidence.objective).learned
    null = ", ".join(f"{v:.4f}" for v in evidence.null.get(learned, ()))
    share = (
        f"{evidence.ambiguous:.1%} of the truths rest on a rule about a bar that leaves them open"
    )
    texts = [SURVIVORS] if biased else []
    texts += [share] if evidence.ambiguous else []
    texts += [f"{learned} with permuted training truths (newest fold): {null}"] if null else []
    texts += [_luck(evidence)] if evidence.luck else []
    texts += [f"explained: {evidence.explained}"] if evidence.explained else []
    return "; ".join(texts)
