"""Keeping MLflow's alias and the ledger of promotions of one mind. The ledger decides.

An alias that differs from the ledger has one of two reasons: a promotion that wrote its row has
not moved the alias yet, or a person moved it in the MLflow UI. A tag on the registered model
tells them apart: it names the promotion with which the alias was last seen to agree.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import uuid4

from contracts.champion import ALIAS, PROMOTED, REFUSED, Champion, champion, model_name, point
from contracts.store import Store
from training import bundle
from training.office import record, require_champion
from training.records import Fit
from training.registration import move_alias
from training.tracking import Mlflow, locked

log = logging.getLogger(__name__)

ACTOR = "mlflow-ui"
AGREED_TAG = "finpulse.agreed_promotion"

Result = Literal["idle", "agreed", "moved", "recorded", "refused"]
RESULTS: tuple[Result, ...] = ("idle", "agreed", "moved", "recorded", "refused")


@dataclass(frozen=True)
class _Registered:
    version: int | None
    agreed: str


def reconcile(store: Store, server: Mlflow, universe: str, now: datetime) -> Result:
    """Look once at alias and ledger and make them agree; says what was done.

    `recorded`: a person's choice passed its checks and is champion now. `refused`: it did not,
    and the alias was put back. `moved`: the alias followed the ledger.
    """
    # The alias is read first: a promotion that it shows already has its row in the ledger then.
    shown = _registered(server, universe)
    office = champion(store, universe)
    if shown is None or office is None:
        return "idle"
    if shown.version == office.model_version:
        if shown.agreed != office.promotion_id:
            _show(office)
            _agree(server, universe, office.promotion_id)
        return "agreed"
    if shown.version is None or shown.agreed != office.promotion_id:
        return _follow(server, office)
    return _judge(store, server, office, shown.version, now)


def _registered(server: Mlflow, universe: str) -> _Registered | None:
    path = "mlflow/registered-models/get"
    found = server.found("GET", path, name=model_name(universe))
    if found is None:
        return None
    model = found["registered_model"]
    aliases = {a["alias"]: int(a["version"]) for a in model.get("aliases", [])}
    return _Registered(aliases.get(ALIAS), _tags(model).get(AGREED_TAG, ""))


def _tags(thing: dict[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in thing.get("tags", [])}


def _agree(server: Mlflow, universe: str, promotion_id: str) -> None:
    fields = {"name": model_name(universe), "key": AGREED_TAG, "value": promotion_id}
    server.call("POST", "mlflow/registered-models/set-tag", **fields)


def _show(office: Champion) -> None:
    # Where this service may only read the object store, the file waits for the next decision.
    try:
        point(office)
    except Exception as error:
        log.warning("model_config.json cannot be written", extra={"error": str(error)})


def _follow(server: Mlflow, office: Champion) -> Result:
    move_alias(server, office.universe, office.model_version)
    _show(office)
    _agree(server, office.universe, office.promotion_id)
    log.info("alias moved to the ledger's champion", extra={"version": office.model_version})
    return "moved"


def _judge(store: Store, server: Mlflow, office: Champion, version: int, now: datetime) -> Result:
    chosen = _bundle_of(server, office.universe, version)
    reason = _reason_against(chosen, office.universe)
    with locked(store, f"office {office.universe}"):
        if champion(store, office.universe) != office:
            return "idle"  # Someone was promoted meanwhile: the next look sees both.
        if reason:
            move_alias(server, office.universe, office.model_version)
            log.warning("alias put back", extra={"version": version, "reason": reason})
            _record(store, office, Fit("", chosen, version), (REFUSED, reason), now)
            return "refused"
        why = f"the alias was set to version {version} in MLflow; its bundle passed the checks"
        promotion = _record(store, office, Fit("", chosen, version), (PROMOTED, why), now)
        _show(require_champion(store, office.universe))
        _agree(server, office.universe, promotion)
    log.info("alias set by a person recorded", extra={"version": version, "bundle": chosen})
    return "recorded"


def _bundle_of(server: Mlflow, universe: str, version: int) -> str:
    path, name = "mlflow/model-versions/get", model_name(universe)
    found = server.call("GET", path, name=name, version=str(version))
    return _tags(found["model_version"]).get("bundle", "")


def _reason_against(chosen: str, universe: str) -> str:
    if not chosen:
        return "it has no tag `bundle`: register models with `python -m training fit`"
    try:
        loaded = bundle.load(chosen)
        loaded.require_view()
        trained_for = loaded.manifest.universe
    except Exception as error:  # Whatever is wrong with it, it must not become champion.
        return f"its bundle failed the checks: {error}"
    return "" if trained_for == universe else f"it was trained for the universe {trained_for!r}"


def _record(
    store: Store, office: Champion, chosen: Fit, decision: tuple[str, str], now: datetime
) -> str:
    outcome, reason = decision
    fields = {
        "promotion_id": uuid4().hex,
        "decision": outcome,
        "previous_bundle": office.bundle,
        "actor": ACTOR,
        "reason": reason,
        "evidence": {"alias_before": office.model_version},
    }
    record(store, office.universe, chosen, fields, now)
    return str(fields["promotion_id"])
