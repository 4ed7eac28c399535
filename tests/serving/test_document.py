"""The OpenAPI document: published by version, and true of what objectives tell and of refusals."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import regimes
from answers import answers
from market import FIRST
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo
from typer.testing import CliRunner

from serving import app as served
from serving.__main__ import app as verbs
from serving.document import DocumentChanged, document, publish
from serving.forms.prediction import Prediction
from training.experts.gate import Joined
from training.objective import CLOSE, OBJECTIVES, Objective

PUBLISHED = Path(__file__).resolve().parents[2] / "docs" / "openapi"
METHODS = {"get", "post", "put", "patch", "delete"}


def test_the_document_is_that_of_its_version() -> None:
    file = PUBLISHED / f"{served.VERSION}.json"
    mend = "run `python -m serving document`, which says what else to do"
    assert file.exists(), f"version {served.VERSION} was never published: {mend}"
    assert json.loads(file.read_text()) == document(), f"{file} is another document: {mend}"


def test_a_version_is_published_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = CliRunner().invoke(verbs, ["document", "--folder", str(tmp_path / "new")])
    [file] = (tmp_path / "new").iterdir()
    assert done.stdout.strip() == str(file) and file.name == f"{served.VERSION}.json"
    before = file.read_bytes()
    assert publish(file.parent) == file and file.read_bytes() == before
    monkeypatch.setattr(served, "_DESCRIPTION", "something else")
    with pytest.raises(DocumentChanged, match=f"VERSION above {served.VERSION}"):
        publish(file.parent)
    assert file.read_bytes() == before
    monkeypatch.setattr(served, "VERSION", "99.0.0")
    later = publish(file.parent)
    assert later.name == "99.0.0.json" and file.read_bytes() == before
    later.write_text("no document")
    with pytest.raises(DocumentChanged):
        publish(file.parent)


def test_every_refusal_has_the_one_form() -> None:
    made: Any = document()
    assert set(made["components"]["schemas"]).isdisjoint({"HTTPValidationError", "ValidationError"})
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            assert method in METHODS
            for status, response in operation["responses"].items():
                form = response["content"]["application/json"]["schema"]["$ref"].split("/")[-1]
                assert (form == "ErrorAnswer") == (status != "200"), (path, status)
            asks = operation.get("parameters") or "requestBody" in operation
            assert not asks or "422" in operation["responses"], f"{path} parses what it is asked"


def row_of(objective: Objective, place: int) -> Mapping[str, Any]:
    """A stored prediction with its numbers, as the batch would keep an answer."""
    values = answers(objective.head, 20, seed=3)
    numbers = dict(zip(objective.columns, values.T, strict=True)) | objective.derived(values)
    kept = {name: 0.01 for name in objective.keeps} | {CLOSE: 100.0}
    found = {name: float(column[place]) for name, column in numbers.items()} | kept
    return found | {"symbol": FIRST[0], "signal": "hold"}


@pytest.fixture(scope="module")
def grounds() -> Sequence[Mapping[str, Any]]:
    """What a gate that was fitted gives as its reasons, of some rows without one of its parts."""
    planted = regimes.made(effect=0.02, sessions=120, instruments=4)
    gate = Joined("weighted").fit(planted.samples, OBJECTIVES.get("signal").head)
    windows = planted.windows[:20].copy()
    windows[::3, :, planted.samples.features.index("storm.volatility")] = np.nan
    return gate.grounds(windows)


@pytest.mark.parametrize("name", [one.name for one in OBJECTIVES if one.tells])
def test_what_an_objective_tells_is_of_the_types_that_it_declares(
    name: str, grounds: Sequence[Mapping[str, Any]]
) -> None:
    objective = OBJECTIVES.get(name)
    assert set(objective.typed) <= set(objective.tells)
    form = Prediction.model_fields[objective.called].annotation
    own = next(one for one in form.__args__ if one is not type(None))
    for place, ground in enumerate(grounds):
        told = objective.answer({**ground, **row_of(objective, place)})
        assert set(told) == set(objective.tells)
        for field, value in told.items():
            _strictly(own.model_fields[field], json.loads(json.dumps(value)))


def _strictly(field: FieldInfo, value: object) -> None:
    TypeAdapter(field.annotation).validate_python(value, strict=True)
