"""A network as a graph: equal to torch, in 8 bits nearly so, and each text by itself."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from contracts.settings import settings
from training.text.balanced import balanced
from training.text.encoder import folder, open_encoder, torch_encoder
from training.text.graph import EMBEDDING, TOKENS, exported, open_graph, quantised

TEXTS = [
    "The retailer closed fifty shops after a dismal season.",
    "The annual report is available on the website.",
    "The biotech's therapy won approval, a triumph for its founders.",
    "",
    "\u00fcber-growth: $AAPL +5% \U0001f680",
    "profit " * 400,
]


@pytest.mark.integration
def test_the_graph_equals_torch_and_in_8_bits_means_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from transformers import AutoTokenizer

    monkeypatch.setenv("FINPULSE_OBJECTS_URL", str(tmp_path))
    settings.cache_clear()
    tokens = AutoTokenizer.from_pretrained(str(folder()))(
        TEXTS, padding=True, truncation=True, max_length=TOKENS, return_tensors="pt"
    )
    with torch.inference_mode():
        wanted = torch_encoder()(tokens["input_ids"], tokens["attention_mask"]).numpy()
    assert np.linalg.norm(wanted, axis=1) == pytest.approx(1, abs=1e-5)
    words = (folder() / "tokenizer.json").read_text()
    graph = exported(torch_encoder(), EMBEDDING)
    [found] = open_graph(graph, words)(TEXTS)
    assert np.abs(found - wanted).max() < 1e-4
    small = quantised(graph)
    assert len(small) < 0.3 * len(graph)
    [alike] = open_graph(small, words)(TEXTS)
    assert (alike * wanted).sum(axis=1).min() > 0.98
    # Balanced, the graph in 32 bits says what it said.
    even = balanced(onnx.load_model_from_string(graph)).SerializeToString()
    assert np.abs(open_graph(even, words)(TEXTS)[0] - wanted).max() < 1e-4
    # The encoder is that one, and a text says the same whoever is read beside it.
    embed = open_encoder()
    assert np.array_equal(embed(TEXTS), alike)
    assert np.array_equal(embed(TEXTS[::-1])[::-1], alike)
    assert np.array_equal(embed(TEXTS[2:3]), alike[2:3])


@pytest.mark.integration
def test_several_threads_keep_the_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    class Counts(torch.nn.Module):
        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> object:
            known = (input_ids * attention_mask).sum(dim=1, keepdim=True).float()
            return known.repeat(1, 3), attention_mask.sum(dim=1, keepdim=True).float()

    words = (folder() / "tokenizer.json").read_text()
    graph, texts = exported(Counts()), ["word " * n for n in range(1, 60)]
    logits, embedding = open_graph(graph, words, tokens=20)(texts)
    assert (logits.shape, embedding.shape) == ((59, 3), (59, 1))
    # One token per word, a beginning and an end; longer texts are cut.
    assert embedding[:, 0].tolist() == [min(n + 2, 20) for n in range(1, 60)]
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert np.array_equal(open_graph(graph, words, tokens=20)(texts)[0], logits)
