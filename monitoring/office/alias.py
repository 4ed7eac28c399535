"""Keeping MLflow's alias and the ledger of promotions of one mind. The ledger decides.

An alias that shows another bundle than the ledger has one of two reasons: a decision that wrote
its row has not moved the alias yet, or a person moved it in the MLflow UI. A tag on the
registered model tells them apart: it names the promotion with which the alias was last seen to
agree. What MLflow holds no more, a version or the whole model, is registered again.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import uuid4

from contracts.champion import (
    ALIAS,
    PROMOTED,
    REFUSED,
    SENTIMENT,
    Champion,
    Office,
    champion,
    point,
)
from contracts.store import Store
from training.bundle.manifest import BundleError
from training.office import staging
from training.office.ledger import Ruling, deciding, record, require_champion
from training.office.package import require_fit
from training.office.registration import AGREED_TAG, agree, models_of, show_champion
from training.run.lock import Lock
from training.run.mlflow_api import Mlflow
from training.run.records import Fit
from training.text.scorer import TextModelGone

log = logging.getLogger(__name__)

ACTOR = "mlflow-ui"

Result = Literal["idle", "agreed", "moved", "recorded", "refused", "registered", "lost"]
RESULTS: tuple[Result, ...] = (
    *("idle", "agreed", "moved", "recorded", "refused"),
    *("registered", "lost"),
)
# Why a champion cannot be registered again: what it is made of, or with, is not there.
_UNFIT = (BundleError, TextModelGone, FileNotFoundError, PermissionError, ImportError)


@dataclass(frozen=True)
class _Shown:
    """What a registered model shows: the alias's version, its bundle, the promotion agreed with.

    there: whether MLflow has the model. version: None without an alias. bundle: empty where the
    version names none.
    """

    model: str
    there: bool = False
    version: int | None = None
    bundle: str = ""
    agreed: str = ""

    def rests(self, champion: Champion) -> bool:
        """Whether it says what the ledger says, and a move of its alias would be a person's."""
        named = champion.bundle if self.model == champion.model_name else ""
        if not self.there:
            return not named
        return (self.bundle, self.agreed) == (named, champion.promotion_id) and (
            bool(named) or self.version is None
        )

    def chosen(self, champion: Champion) -> bool:
        """Whether a person has given its alias to another bundle since it rested."""
        moved = self.version is not None and self.bundle != champion.bundle
        return moved and self.agreed == champion.promotion_id


def reconcile(store: Store, server: Mlflow, office: Office, now: datetime) -> Result:
    """Look once at alias and ledger and make them agree; says what was done.

    A person may choose a version of any registered model of the office, that of before included.

    `idle`: nobody is in office. `moved`: the alias followed the ledger. `recorded`: a person's
    choice passed its checks and is champion now. `refused`: it did not, and the alias was put
    back. `registered`: MLflow had lost the champion, and holds it again. `lost`: MLflow has lost
    it, and it cannot be registered again; the log says why.
    """
    in_office = champion(store, office)
    models = models_of(in_office) if in_office else office.models
    shown = [_shown(server, name) for name in models]
    if in_office is None:
        return "idle"
    if all(each.rests(in_office) for each in shown):
        return "agreed"
    # Whoever decides holds this lock until its alias has moved: under it both are at rest.
    with deciding(store, office) as lock:
        return _settle(lock, store, server, require_champion(store, office), now)


def _settle(lock: Lock, store: Store, server: Mlflow, office: Champion, now: datetime) -> Result:
    own, *others = (_shown(server, name) for name in models_of(office))
    for shown in (own, *others):
        if shown.chosen(office):
            return _judge(lock, store, server, office, shown, now)
    if own.bundle == office.bundle:
        agree(server, office)
        _point(office)
        return "agreed"
    return _follow(store, server, office, "moved")


def _shown(server: Mlflow, name: str) -> _Shown:
    found = server.found("GET", "mlflow/registered-models/get", name=name)
    if found is None:
        return _Shown(name)
    model = found["registered_model"]
    aliases = {a["alias"]: int(a["version"]) for a in model.get("aliases", [])}
    number, agreed = aliases.get(ALIAS), _tags(model).get(AGREED_TAG, "")
    path = "mlflow/model-versions/get"
    held = server.found("GET", path, name=name, version=str(number)) if number else None
    if held is None:
        return _Shown(name, True, agreed=agreed)
    return _Shown(name, True, number, _tags(held["model_version"]).get("bundle", ""), agreed)


def _tags(thing: dict[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in thing.get("tags", [])}


def _point(office: Champion) -> None:
    # Where this service may only read the object store, the file waits for the next decision.
    try:
        point(office)
    except Exception as error:
        log.warning("model_config.json cannot be written", extra={"error": str(error)})


def _follow(store: Store, server: Mlflow, office: Champion, result: Result) -> Result:
    about = {"bundle": office.bundle}
    try:
        again = show_champion(server, store, office)
    except _UNFIT as error:
        text = "MLflow lost the champion, and it cannot be registered again"
        log.error(text, extra=about | {"error": str(error)})
        return "lost"
    _point(office)
    log.info("alias moved to the ledger's champion", extra=about | {"registered": again})
    return "registered" if again else result


def _judge(
    lock: Lock, store: Store, server: Mlflow, office: Champion, shown: _Shown, now: datetime
) -> Result:
    chosen = Fit("", shown.bundle, shown.version or 0, shown.model)
    about: dict[str, Any] = {"version": chosen.version, "bundle": chosen.bundle}
    reason = _reason_against(chosen.bundle, office.office)
    if reason:
        result = _follow(store, server, office, "refused")
        if result != "lost":
            _record(lock, office, chosen, (REFUSED, reason), now)
            log.warning("alias put back", extra=about | {"reason": reason})
        return result
    why = f"the alias was set to version {chosen.version} in MLflow and passed the checks"
    if office.office != SENTIMENT:  # who forecasts nothing has no losses to be guarded by
        staging.chosen(lock, store, office.office, chosen, now)
    _record(lock, office, chosen, (PROMOTED, why), now)
    recorded = require_champion(store, office.office)
    agree(server, recorded)
    _point(recorded)
    log.info("alias set by a person recorded", extra=about)
    return "recorded"


def _reason_against(chosen: str, office: Office) -> str:
    if not chosen:
        return "it has no tag `bundle`: register models with `python -m training fit`"
    try:
        require_fit(office, chosen)
    except Exception as error:  # Whatever is wrong with it, it must not become champion.
        return f"it failed the checks: {error}"
    return ""


def _record(
    lock: Lock, office: Champion, chosen: Fit, decision: tuple[str, str], now: datetime
) -> None:
    outcome, reason = decision
    before = {"alias_before": office.model_version}
    ruling = Ruling(uuid4().hex, outcome, "person", reason, before, office.bundle, ACTOR)
    record(lock, office.office, chosen, ruling, now)
