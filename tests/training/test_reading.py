"""Networks that read texts learn what they are shown, at their pace, and go on exactly."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef
from tiny_encoder import tiny_encoder

from contracts import objects
from training.reading.batches import drawn, lesson
from training.reading.course import SPACE, Course
from training.reading.device import Device, DeviceMissing, device
from training.reading.learning import Progress, Task, learn, pace, rates, said, temperature
from training.reading.reader import Base, base, build, floors
from training.reading.scores import accuracy, counts, gain, macro_f1, mcc, scores
from training.reading.state import Vault, best
from training.reading.tokens import chunked, opened
from training.text.checkpoint import CheckpointMissing, LabelOrderError
from training.text.graph import exported, open_graph, quantised
from training.text.labelled import Labelled
from training.text.sets.corpus import texts_of

COURSE = Course(epochs=4, rate=1e-2, dropout=0.1, batch=32)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return base(str(tiny_encoder(tmp_path_factory.mktemp("tiny") / "encoder")))


def task(tiny: Base, course: Course = COURSE) -> Task:
    learnt = lesson([texts_of("sentences")], [texts_of("posts")])
    return Task(learnt, texts_of("posts"), opened(tiny.tokenizer, course.length), course)


def known(texts: dict[str, int], name: str = "known") -> Labelled:
    return Labelled(name, tuple(texts), tuple(texts.values()), tuple(range(len(texts))))


def test_it_learns_the_sentences_that_it_is_shown(tiny: Base) -> None:
    asked = task(tiny, replace(COURSE, epochs=12, dropout=0.0))
    network = build(tiny, asked.course)
    learn(network, replace(asked, held=texts_of("sentences")), Device(), Vault(), print)
    logits = said(network, asked.tokenizer, asked.learnt.texts, Device())
    assert float(macro_f1(counts(asked.learnt.classes, logits.argmax(axis=1)))) > 0.9


@pytest.mark.parametrize(
    ("kept", "frozen"), [(3, 0), pytest.param(6, 0, marks=pytest.mark.slow), (6, 1)]
)
def test_a_run_that_was_killed_goes_on_as_if_it_had_not_been(
    tiny: Base, kept: int, frozen: int
) -> None:
    asked = task(tiny, replace(COURSE, frozen=frozen))
    vault, unbroken = Vault("state"), build(tiny, COURSE)
    whole = learn(unbroken, asked, Device(), Vault(), print)
    seen = []

    def until_the_middle(done: Progress) -> None:
        seen.append(done.step)
        if len(seen) == kept:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn(build(tiny, COURSE), asked, Device(), vault, until_the_middle)
    network = build(tiny, COURSE)
    went_on = learn(network, asked, Device(), vault, lambda done: seen.append(done.step))
    assert went_on == whole
    for name, found in network.state_dict().items():
        assert torch.allclose(found, unbroken.state_dict()[name], atol=1e-6)
    assert len(seen) == len(set(seen)) == len(whole.checks)
    assert b"pickle" not in objects.get("state")[:4000]
    assert (b"now.words.embeddings" in objects.get("state")) == (not frozen)


def test_the_best_check_is_what_stays_where_none_are_averaged(tiny: Base) -> None:
    asked = replace(task(tiny), course=replace(COURSE, averaged=0.0))
    network = build(tiny, COURSE)
    done = learn(network, asked, Device(), Vault(), lambda _: None)
    logits = said(network, asked.tokenizer, asked.held.texts, Device())
    reached = float(macro_f1(counts(np.array(asked.held.classes), logits.argmax(axis=1))))
    assert reached == pytest.approx(max(done.checks)) == pytest.approx(done.best)


def test_the_mean_of_the_last_checks_is_what_stays(tiny: Base) -> None:
    network, checks = build(tiny, COURSE), dict[int, dict[str, Any]]()

    def told(at: Progress) -> None:
        checks[at.step] = {k: v.clone() for k, v in network.state_dict().items()}

    done = learn(network, task(tiny), Device(), Vault("mean"), told)
    last = [weights for step, weights in checks.items() if step > max(checks) / 2]
    assert done.averaged == len(last) > 3
    again = build(tiny, COURSE)
    best(again, Vault("mean"))
    for name, found in network.state_dict().items():
        wanted = sum(one[name].double() for one in last) / len(last)
        assert np.allclose(found.double(), wanted, atol=1e-6)
        assert (again.state_dict()[name] == found).all()


def test_frozen_layers_do_not_change_and_others_do(tiny: Base) -> None:
    course = replace(COURSE, frozen=1, epochs=1)
    network = build(tiny, course)
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    learn(network, task(tiny, course), Device(), Vault(), lambda _: None)
    for name, value in network.named_parameters():
        still = "embeddings" in name or "layer.0." in name or "pooler" in name
        assert torch.equal(value, before[name]) == still, name


def test_a_layer_below_learns_slower_and_wakes_later(tiny: Base) -> None:
    groups = rates(build(tiny, COURSE), COURSE)
    assert [group["lr"] for group in groups] == pytest.approx(
        [COURSE.rate * share for share in (0.64, 0.8, 1.0, 1.0)]
    )
    course = replace(COURSE, thaw=0.3, warmup=0.0)
    first = [next(s for s in range(100) if pace(course, 100, b, 3)(s) > 0) for b in range(4)]
    assert first == [0, 10, 20, 30]


def test_floors_hold_every_parameter_once(tiny: Base) -> None:
    network = build(tiny, COURSE)
    names = [name for floor in floors(network) for name, _ in floor]
    assert sorted(names) == sorted(name for name, _ in network.named_parameters())
    assert "embeddings" in floors(network)[0][0][0] and "head" in floors(network)[-1][-1][0]


@pytest.mark.parametrize("pooling", SPACE["pooling"])
def test_each_pooling_reads(tiny: Base, pooling: str) -> None:
    network = build(tiny, replace(COURSE, pooling=pooling)).eval()
    chunks = chunked(opened(tiny.tokenizer, 16), ["profit rose", "a loss"])
    with torch.no_grad():
        logits, embedding = network(*map(torch.as_tensor, (chunks.ids, chunks.mask)))
    assert logits.shape == (2, 3) and torch.allclose(embedding.norm(dim=1), torch.ones(2))


def test_a_checkpoint_keeps_its_own_head_in_our_order(tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    place = tiny_encoder(tmp_path / "own", ("positive", "negative", "neutral"))
    network = build(base(str(place)), COURSE).eval()
    chunks = chunked(opened(base(str(place)).tokenizer, 16), ["profit rose"])
    ids, mask = map(torch.as_tensor, (chunks.ids, chunks.mask))
    with torch.no_grad():
        theirs = AutoModelForSequenceClassification.from_pretrained(place)(ids, mask).logits
        ours, _ = network(ids, mask)
    assert torch.allclose(ours, theirs[:, [1, 2, 0]], atol=1e-6)


def test_a_head_for_other_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelOrderError):
        base(str(tiny_encoder(tmp_path / "stars", ("one", "two", "three"))))


def test_no_checkpoint_names_the_setting() -> None:
    with pytest.raises(CheckpointMissing, match="FINPULSE_TEXT_CHECKPOINT"):
        base("/nowhere/at/all")


@given(st.lists(st.integers(1, 60), min_size=1, max_size=6))
def test_long_texts_are_cut_and_their_chunks_count_by_their_tokens(sizes: list[int]) -> None:
    tokenizer = opened(TOKENIZER, 10)
    texts = [" ".join(["profit"] * size) for size in sizes]
    chunks = chunked(tokenizer, texts)
    assert chunks.ids.shape[1] <= 10
    found = [chunks.mask[chunks.owner == place] for place in range(len(texts))]
    # Each chunk has a first and a last token of its own, and eight of the text.
    assert [int(one.sum()) - 2 * len(one) for one in found] == sizes
    shares = np.bincount(chunks.owner, chunks.share)
    assert shares == pytest.approx(np.ones(len(texts)))
    assert chunks.pooled(np.ones((len(chunks.ids), 2))) == pytest.approx(np.ones((len(texts), 2)))


def test_a_lesson_holds_nothing_twice_nothing_in_doubt_and_nothing_of_the_tests() -> None:
    first = known({"Profit rose.": 2, "It fell": 0, "in doubt": 1, "of the test!": 2})
    second = known({"profit rose": 2, "IN DOUBT": 2, "Another": 1})
    found = lesson([first, second], [known({"Of the Test": 0})])
    assert found.texts == ("Profit rose.", "It fell", "Another")
    assert [list(one) for one in found.sources] == [[0, 1], [2]]


def test_sources_are_drawn_equally_often_where_asked() -> None:
    many = known({f"many {i}": i % 3 for i in range(900)}, "many")
    few = known({f"few {i}": i % 3 for i in range(100)}, "few")
    learnt = lesson([many, few])
    for balance, share in ((1.0, 0.5), (0.0, 0.1), (0.5, 0.25)):
        places = drawn(learnt, replace(COURSE, balance=balance, epochs=20))
        assert (places >= 900).mean() == pytest.approx(share, abs=0.02)
    once = drawn(known_lesson(), replace(COURSE, epochs=1, batch=10))
    assert sorted(once.ravel()) == list(range(30)), "one epoch of one source is each text once"


def known_lesson():
    return lesson([known({f"text {i}": i % 3 for i in range(30)})])


@given(st.data())
def test_scores_are_those_of_scikit_learn(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 60))
    places = st.lists(st.integers(0, 2), min_size=n, max_size=n)
    truth, guess = np.array(data.draw(places)), np.array(data.draw(places))
    table = counts(truth, guess)
    assert float(accuracy(table)) == pytest.approx(accuracy_score(truth, guess))
    wanted = f1_score(truth, guess, labels=[0, 1, 2], average="macro", zero_division=0)
    assert float(macro_f1(table)) == pytest.approx(wanted)
    if len({*truth, *guess}) > 1:  # scikit-learn warns of one
        assert float(mcc(table)) == pytest.approx(matthews_corrcoef(truth, guess))


def test_intervals_are_as_wide_as_a_share_of_that_many_texts_is_unsure() -> None:
    truth = np.zeros(400, int)
    found = scores(truth, (np.arange(400) < 100).astype(int)).accuracy
    half = 1.96 * np.sqrt(0.75 * 0.25 / 400)
    assert (found.value, found.low, found.high) == pytest.approx(
        (0.75, 0.75 - half, 0.75 + half), abs=0.006
    )


def test_a_better_reader_gains_surely_and_an_equal_one_does_not() -> None:
    random = np.random.default_rng(3)
    truth = random.integers(0, 3, 400)

    def right(share: float) -> np.ndarray:
        return np.where(random.random(400) < share, truth, random.integers(0, 3, 400))

    better = gain([(truth, right(0.7), right(0.4))])
    assert better.low > 0 and better.p_value < 0.01 and better.low < better.value < better.high
    assert gain([(truth, right(0.5), right(0.5))]).p_value > 0.01
    same = right(0.5)
    assert gain([(truth, same, same)]).p_value == 1.0


def test_the_temperature_cools_what_is_too_sure() -> None:
    random = np.random.default_rng(5)
    honest = random.normal(size=(4000, 3)) * 2
    odds = np.exp(honest) / np.exp(honest).sum(axis=1, keepdims=True)
    classes = [int(random.choice(3, p=row)) for row in odds]
    assert temperature(honest * 3, classes) == pytest.approx(3, rel=0.1)


def test_a_network_whose_layers_are_new_is_kept_in_8_bits_too(tiny: Base) -> None:
    # Their equal weights are one in the graph.
    network = build(tiny, COURSE).eval()
    run = open_graph(quantised(exported(network)), tiny.tokenizer, 16, whole=True)
    logits, embeddings = run(["profit rose", "a loss"])
    chunks = chunked(opened(tiny.tokenizer, 16), ["profit rose", "a loss"])
    with torch.no_grad():
        wanted, meant = network(*map(torch.as_tensor, (chunks.ids, chunks.mask)))
    assert np.abs(logits - wanted.numpy()).max() < 0.05
    assert (embeddings * meant.numpy()).sum(axis=1).min() > 0.98


def test_a_gpu_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device("auto") == device("cpu") == Device("cpu")
    with pytest.raises(DeviceMissing, match="gpu-check"):
        device("cuda")


def _tokenizer() -> str:
    from training.text.encoder import folder

    return (folder() / "tokenizer.json").read_text()


TOKENIZER = _tokenizer()
