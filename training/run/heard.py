"""The rows that a run learns from, with what its recipe's parts said of them out of sample."""

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa

from contracts.store import Store
from training.bundle.codes import registered
from training.bundle.inputs import beside, named
from training.evidence.guards import require_out_of_sample, require_unread
from training.evidence.walk import tested
from training.recipe import recipe
from training.run import records
from training.run.records import Fit, StepMissing
from training.run.scope import Scope, text_model_today
from training.samples.samples import Samples


def training(store: Store, scope: Scope) -> Samples:
    """The scope's training rows; with parts, those of which every part has said something.

    Raises StepMissing where a part's recipe was not trained at this cut, TrainingError, and Leak on
    what a part said of rows that it had learnt from, or of an encoder that learnt of rows that the
    folds are to test.
    """
    samples = scope.training(store, _heard(store, scope))
    if scope.recipe.encoder:
        test = samples.take(tested(scope.recipe.cut.split(samples)))
        require_unread(registered(scope.recipe.encoder).trained_until, test)
    return samples


def parts(scope: Scope) -> dict[str, str]:
    """Name -> hash of the bundles whose answers the recipe's parts are; raises StepMissing."""
    return {name: _fit(own, who).bundle for name, own, who in _members(scope)}


def _members(scope: Scope) -> Iterator[tuple[str, Scope, str]]:
    # A part is another run at the same cut.
    for name, member in scope.recipe.parts.items():
        chosen = recipe(member.recipe)
        yield name, replace(scope, recipe=chosen), member.expert or chosen.ensemble


def _fit(own: Scope, who: str) -> Fit:
    try:
        return records.read_fit(own, who)
    except StepMissing as error:
        raise StepMissing(
            f"the recipe hears {who} of the recipe {own.recipe.name}, which was not trained at "
            f"{own.session} and snapshot {own.snapshot}: train it first with --recipe "
            f"{own.recipe.name}; {error}"
        ) from None


def _heard(store: Store, scope: Scope) -> pa.Table | None:
    whole: pa.Table | None = None
    for name, at_cut, who in _members(scope):
        # With the text model that its own view asks for.
        read_by = text_model_today(store, at_cut.view)
        own = replace(at_cut, text_model=read_by)
        _fit(own, who)
        said = records.read_walk(own, who).forecasts
        samples = training(store, own)
        test = samples.take(tested(own.recipe.cut.split(samples)))
        if len(test) != len(said):
            raise StepMissing(
                f"{who} of the recipe {own.recipe.name} answered {len(said)} rows, its folds have "
                f"{len(test)}: run `python -m training fit` of that recipe again"
            )
        require_out_of_sample([said], test)
        moments = pa.array(test.as_of).cast(pa.timestamp("us", "UTC"))
        key = pa.table({"instrument_id": test.instruments.tolist(), "as_of": moments})
        columns = own.objective.columns
        found = named(key, name, columns, said.values)
        whole = found if whole is None else beside(whole, found, "inner")
    return whole
