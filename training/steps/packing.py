"""What fitting leaves behind: a stored bundle, registered, and what it said out of sample."""

from collections.abc import Iterable, Mapping
from importlib.metadata import version

from contracts.context import git_commit
from training.bundle import bundle
from training.bundle.bundle import Bundle
from training.bundle.manifest import Manifest
from training.evidence.score import tally
from training.evidence.walk import Walk
from training.office.registration import register
from training.run import records
from training.run.heard import parts
from training.run.records import Fit
from training.run.scope import Scope
from training.run.tracking import Run
from training.samples.samples import Samples


def manifest_of(
    scope: Scope, name: str, features: tuple[str, ...], libraries: Iterable[str]
) -> Manifest:
    """A manifest of the scope, for files that are still to be named.

    name: of the expert or ensemble. libraries: those that its files are read by.
    """
    return Manifest(
        expert=name,
        objective=scope.objective.name,
        hyperparameters={},
        view=scope.recipe.view,
        view_hash=scope.view.hash,
        features=features,
        label=scope.target.label.name,
        horizon=scope.target.label.horizon,
        universe=scope.universe,
        calendar=scope.calendar,
        as_of=scope.as_of,
        snapshot=scope.snapshot,
        git_commit=git_commit(),
        libraries={library: version(library) for library in libraries},
        files={},
        thresholds={**scope.objective.thresholds, **scope.recipe.thresholds},
        target=scope.target.name,
        head=scope.objective.head,
        text_model=scope.text_model,
        parts=parts(scope),
        encoder=scope.recipe.encoder,
    )


def save(manifest: Manifest, files: Mapping[str, bytes], samples: Samples) -> Bundle:
    """Store the files as a bundle, proven on some of the samples."""
    shown = samples.take(bundle.golden_rows(len(samples)))
    return bundle.save(manifest, files, shown.windows(manifest.window))


def log_scores(run: Run, walked: Walk, test: Samples) -> None:
    """Log the scores of what was said about the test rows."""
    scores = tally(walked.forecasts, test.truth, test.sessions).scores()
    run.log(metrics={name: float(value[0]) for name, value in scores.items()})


def keep(run: Run, scope: Scope, name: str, packed: Bundle, walked: Walk) -> Fit:
    """Register the bundle and leave it, with its walk, for the later steps."""
    run.tag({"bundle": packed.hash})
    done = Fit(name, packed.hash, register(run, packed))
    records.write_walk(scope, name, walked)
    records.write_fit(scope, done)
    return done
