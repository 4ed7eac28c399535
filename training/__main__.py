"""Verbs of training: `python -m training score-text | zero | tune | fit | ... | report`."""

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from contracts import universe as universes
from contracts import verbs
from contracts.cut import Cut
from contracts.settings import settings
from contracts.store import open_store
from training import recipe as recipes
from training.encode.learnt import encoders
from training.finetune import verbs as of_texts
from training.recipe import DEFAULT
from training.run.asked import Recipe, experts, inputs, view
from training.run.scope import Scope, scope, text_model_today
from training.seats import register, report, rollback
from training.text.history.alike import like

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

for _verb in (inputs, view, experts, rollback, register, report, like):
    app.command()(_verb)
app.add_typer(of_texts.texts)
app.add_typer(encoders)


class Part(StrEnum):
    """Of a whole training."""

    all = "all"
    judge = "judge"
    promote = "promote"


def _scope(universe: str, session: date, snapshot: int, recipe: str) -> Scope:
    return scope(open_store(), Cut.at(universes.universe(universe), session, snapshot), recipe)


def _progress(text: str) -> None:
    typer.echo(text, err=True)


@app.command()
def score_text(
    session: verbs.Session,
    snapshot: verbs.Snapshot,
    universe: verbs.Universe = "",
    recipe: Recipe = DEFAULT,
    model: Annotated[str, typer.Option(help="text model or version, and no other")] = "",
    inputs: Annotated[bool, typer.Option("--inputs", help="champions' views too, as JSON")] = False,
    spark: Annotated[bool, typer.Option("--spark", help="inside Spark, for histories")] = False,
) -> None:
    """Score the texts known at the session's close, each once per text model; print its version.

    Without --model: by those that the champions are pinned to and that of FINPULSE_TEXT_MODEL,
    whose version is printed: it is what a new training learns from.
    """
    from training.steps import score_text

    asked, store = _scope(universe, session, snapshot, recipe), open_store()
    as_of, version = asked.cut.end, ""
    for scorer in score_text.scorers(store, asked.universe, model, _progress, spark):
        left = score_text.unscored(store, as_of, snapshot, scorer)
        version = scorer.model_version
        _progress(f"{left.num_rows} new texts for {version}")
        for done in score_text.score(store, left, scorer, datetime.now(UTC)):
            _progress(f"{done} of {left.num_rows} texts scored")
    typer.echo(score_text.inputs(store, asked, version) if inputs else version)


@app.command()
def zero(
    session: verbs.Session,
    snapshot: verbs.Snapshot,
    universe: verbs.Universe = "",
    recipe: Recipe = DEFAULT,
) -> None:
    """Put the objective's plainest expert into office as champion zero, unless one is there."""
    from contracts.champion import champion
    from training.steps.fit import fit
    from training.steps.zero import install_first

    asked, store = _scope(universe, session, snapshot, recipe), open_store()
    if in_office := champion(store, asked.office):
        typer.echo(f"{asked.office} has a champion: {in_office.bundle}")
        return
    plainest = fit(store, asked, asked.objective.zero, verb="zero")
    first = install_first(store, asked.office, plainest, datetime.now(UTC))
    typer.echo(f"champion of {asked.office}: {first.bundle} (version {first.model_version})")


@app.command()
def tune(
    session: verbs.Session,
    snapshot: verbs.Snapshot,
    universe: verbs.Universe = "",
    recipe: Recipe = DEFAULT,
) -> None:
    """Search hyperparameters of the recipe's experts by walk-forward score."""
    import orjson

    from training.steps import tune

    asked, store = _scope(universe, session, snapshot, recipe), open_store()
    found = tune.tune(store, asked, settings().trials, _progress)
    typer.echo(orjson.dumps(found["best"]).decode())


@app.command()
def fit(
    session: verbs.Session,
    snapshot: verbs.Snapshot,
    expert: Annotated[str, typer.Option(help="expert to fit, with its tuned hyperparameters")],
    universe: verbs.Universe = "",
    recipe: Recipe = DEFAULT,
    target: Annotated[str, typer.Option(help="in place of --recipe: what is foretold")] = "",
) -> None:
    """Walk one expert forward, fit it on all that had settled, and register its bundle."""
    from training.steps import fit

    chosen = recipes.recipe_of(target).name if target else recipe
    asked, store = _scope(universe, session, snapshot, chosen), open_store()
    done = fit.fit(store, asked, expert, told=_progress)
    _progress(f"model version {done.version}")
    typer.echo(done.bundle)


@app.command()
def ensemble(
    session: verbs.Session,
    snapshot: verbs.Snapshot,
    universe: verbs.Universe = "",
    recipe: Recipe = DEFAULT,
) -> None:
    """Combine the fitted experts by what they said out of sample, and register the bundle."""
    from training.steps.combine import combine

    asked, store = _scope(universe, session, snapshot, recipe), open_store()
    done = combine(store, asked)
    _progress(f"model version {done.version}")
    typer.echo(done.bundle)


@app.command()
def evidence(
    session: verbs.Session,
    snapshot: verbs.Snapshot,
    universe: verbs.Universe = "",
    recipe: Recipe = DEFAULT,
    explained: Annotated[str, typer.Option(help="why what looks too good is no leak")] = "",
) -> None:
    """Score experts and ensemble out of sample beside naive baselines, with intervals."""
    from rich.console import Console

    from features.facts.members import survivors_only
    from training.steps import prove
    from training.steps.report import WIDTH, evidence_table

    asked, store = _scope(universe, session, snapshot, recipe), open_store()
    found, page = prove.prove(store, asked, explained)
    *_, of_ensemble = found.values()
    biased = survivors_only(store, asked.universe, asked.cut.end, snapshot)
    Console(stderr=True, width=WIDTH).print(evidence_table(of_ensemble, biased))
    for bundle in found:
        _progress(f"evidence/{bundle}.json")
    typer.echo(page)


@app.command()
def contest(
    session: verbs.Session,
    snapshot: verbs.Snapshot,
    universe: verbs.Universe = "",
    recipe: Recipe = DEFAULT,
) -> str:
    """Let the challenger meet the champion on sessions that neither was trained on."""
    from training.steps import contest

    asked, store = _scope(universe, session, snapshot, recipe), open_store()
    decision = contest.contest(store, asked)
    said = "the challenger is the champion already: nothing to contest"
    if decision is not None:
        said = f"{decision.outcome}: {decision.reason} ({decision.promotion_id})"
    typer.echo(said)
    return said


@app.command()
def promote(
    session: verbs.Session,
    snapshot: verbs.Snapshot,
    universe: verbs.Universe = "",
    recipe: Recipe = DEFAULT,
) -> None:
    """Write the contest's decision into the ledger, then move the champion's alias."""
    from training.steps import promote

    asked, store = _scope(universe, session, snapshot, recipe), open_store()
    decision, added = promote.promote(store, asked, datetime.now(UTC))
    if decision is None:
        typer.echo("the challenger is the champion already: nothing to record")
    else:
        typer.echo(f"{decision.outcome}: {decision.reason}; {added} ledger rows added")


@app.command()
def train(
    first: verbs.Session,
    session: verbs.Session,
    snapshot: verbs.Snapshot,
    recipes: Annotated[str, typer.Option(help="names between commas")] = DEFAULT,
    universe: verbs.Universe = "",
    part: Annotated[Part, typer.Option(help="all, or without promotion, or it alone")] = Part.all,
) -> None:
    """Do all from features to promotion for several recipes, and print their targets as JSON: of
    --part judge with what the contests found.

    Parts are trained before the recipes that hear them; one that fails is named, and the others
    go on.
    """
    import orjson

    from training.recipe import recipe as known
    from training.recipe import waves

    names = [name for wave in waves(recipes.split(",")) for name in wave]
    chosen = {name: known(name) for name in names}
    cut = Cut.at(universes.universe(universe), session, snapshot).since(first)
    said = verbs.each(names, lambda name: _whole(cut, chosen[name], part))
    targets: Any = sorted({one.target for one in chosen.values()})
    if part == Part.judge:
        found = list(zip(chosen.values(), said, strict=True))
        targets = {of: "; ".join(w for one, w in found if one.target == of) for of in targets}
    typer.echo(orjson.dumps(targets).decode())


def _whole(cut: Cut, asked: recipes.Recipe, part: Part) -> str:
    """The verbs of one recipe in their order; what its contest found."""
    from features import view as views
    from features.matrix.matrix import materialise

    place = (cut.last, cut.snapshot, cut.universe.name, asked.name)
    if part == Part.promote:
        promote(*place)
        return ""
    chosen = views.view(asked.view)
    store = open_store()
    materialise(store, cut, chosen, text_model_today(store, chosen))
    zero(*place)
    if asked.tuned:
        tune(*place)
    for expert in asked.experts:
        fit(cut.last, cut.snapshot, expert, cut.universe.name, asked.name)
    for verb in (ensemble, evidence):
        verb(*place)
    said = contest(*place)
    if part == Part.all:
        promote(*place)
    return said


@app.command()
def leaklab(
    data: Annotated[
        str, typer.Option(help="folder that holds sp500_daily", envvar="FINPULSE_TEST_DATA")
    ] = "",
) -> None:
    """Plant leaks that guards must catch; exit 1 when one is missed or a clean twin is accused."""
    from rich.console import Console

    from training.leaklab import examine as laboratory
    from training.leaklab.market import Lab

    findings = list(laboratory.examine(Lab()))
    Console(width=160).print(laboratory.table(findings))
    typer.echo(str(laboratory.artefact(data)))
    typer.echo(laboratory.verdict(findings))
    if not all(found.detected for found in findings):
        raise typer.Exit(1)


def main() -> None:
    """Run a verb; what is expected to fail fails with one line."""
    verbs.run(app)


if __name__ == "__main__":
    main()
