"""The alias of who reads texts and the ledger: of one mind as any office's."""

import json
from collections.abc import Iterator
from hashlib import sha256
from types import SimpleNamespace

import pytest
from registry import NOW, Registry, look, newest

from contracts import objects
from contracts.champion import (
    ALIAS,
    IN_OFFICE,
    SENTIMENT,
    model_name,
    occupied,
    offices,
    pointer,
    text_model,
)
from contracts.gap import gaps
from contracts.store import Store
from monitoring.export.exporter import Exporter
from monitoring.office.wake import Waker
from training.run.mlflow_api import Mlflow
from training.run.records import Fit
from training.steps.zero import install_first
from training.text import lexicon
from training.text.tuned import GRAPH, TOKENIZER, Kept, keep

pytestmark = pytest.mark.integration


def forgotten(server: Mlflow) -> None:
    """No test finds the versions of another: all of them share the server and this one name."""
    server.found("DELETE", "mlflow/registered-models/delete", name=model_name(SENTIMENT))


class Readers(Registry):
    """The registered model of the office of reading texts; versions are text models."""

    def __init__(self, server: Mlflow) -> None:
        forgotten(server)
        super().__init__(server, "", model_name(SENTIMENT))
        self.office = SENTIMENT

    def add_text(self, version: str) -> int:
        return self.add(SimpleNamespace(hash=version))  # type: ignore[arg-type]


def tuned(text: bytes = b"a graph") -> str:
    """A kept model whose files are whole, which nobody has to run to know."""
    files = {GRAPH: text, TOKENIZER: b"{}"}
    said = {name: sha256(content).hexdigest() for name, content in files.items()}
    return keep(Kept("tiny", ("sentences",), 1.0, 32, said), files)


@pytest.fixture
def readers(mlflow_server: str, store: Store) -> Iterator[Readers]:
    """Versions 1 (VADER, which is champion) and 2 (fine-tuned)."""
    made = Readers(Mlflow(mlflow_server))
    plain = lexicon.version()
    assert (made.add_text(plain), made.add_text(tuned())) == (1, 2)
    install_first(store, SENTIMENT, Fit("vader", plain, 1), NOW)
    yield made
    forgotten(made.server)


def test_who_reads_texts_may_be_chosen_in_the_ui_as_well(store: Store, readers: Readers) -> None:
    assert look(store, readers) == "moved" and readers.alias == 1
    readers.choose(2)
    assert look(store, readers) == "recorded"
    assert text_model(store, IN_OFFICE) == tuned(), "it scores from now on"
    assert json.loads(objects.get(pointer(SENTIMENT)))["bundle"] == tuned()
    assert look(store, readers) == "agreed"
    readers.choose(1)
    assert look(store, readers) == "recorded"
    assert text_model(store, IN_OFFICE) == lexicon.version()
    readers.server.call("DELETE", "mlflow/registered-models/alias", name=readers.name, alias=ALIAS)
    assert look(store, readers) == "moved" and readers.alias == 1
    assert {SENTIMENT, readers.office} == set(occupied(store)) and offices(store) == ()
    assert gaps(store) == [], "it has no forecasts to make"


def test_a_reader_that_is_not_whole_is_refused(store: Store, readers: Readers) -> None:
    assert look(store, readers) == "moved"
    other = tuned(b"another graph")
    objects.put(f"sentiment/{other}/{GRAPH}", b"changed")
    for wrong, why in (
        (other, f"its {GRAPH} is not the one that was kept"),
        ("tuned-0123456789ab", "in the object store"),
        ("vader-0123456789ab", "the word list that is installed"),
        ("0" * 64, "cannot be had"),
    ):
        readers.choose(readers.add_text(wrong))
        assert look(store, readers) == "refused"
        assert why in newest(store)["reason"] and readers.alias == 1
    assert text_model(store, IN_OFFICE) == lexicon.version()


def test_the_exporter_looks_at_the_readers_office_too(
    store: Store, readers: Readers, mlflow_server: str
) -> None:
    assert look(store, readers) == "moved"
    readers.choose(2)
    exporter = Exporter(store, Mlflow(mlflow_server), Waker(None), "sim20")
    exporter.look_at_alias()
    assert text_model(store, IN_OFFICE) == tuned()
    told = "finpulse_alias_reconciliations_total"
    assert exporter.registry.get_sample_value(told, {"result": "recorded"}) == 1.0
