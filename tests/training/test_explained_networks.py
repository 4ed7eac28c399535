"""What networks rest on: gradients summed up along the way from a typical window to each."""

from typing import Any

import numpy as np
import pytest
import torch

from training.bundle.models.network import Network
from training.forecast import Head, Quantiles, Value
from training.network import to_onnx

WINDOW, K = 4, 5
LINEAR = Quantiles((0.25, 0.75))


class Bent(torch.nn.Module):
    """A recurrent network of plain torch, sharp enough that gradients change along the way."""

    def __init__(self, sharp: float, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.lstm = torch.nn.LSTM(K, 6, batch_first=True)
        self.dense = torch.nn.Linear(6, 2)
        with torch.no_grad():
            for weights in self.parameters():
                weights.mul_(sharp)

    def forward(self, values: Any) -> Any:
        """Two quantiles in order."""
        states, _ = self.lstm(values)
        low, gap = self.dense(states[:, -1]).split(1, dim=1)
        return torch.cat([low, low + gap.exp()], dim=1)


def of(module: torch.nn.Module, head: Head = LINEAR) -> Network:
    return Network(to_onnx(module, WINDOW, K, "said"), head)


def exact(module: torch.nn.Module, start: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """By torch's own backward pass, at 200 points."""
    steps = (torch.arange(200) + 0.5) / 200
    found = []
    for end in torch.tensor(ends):
        way = end - torch.tensor(start)
        points = (torch.tensor(start) + steps[:, None, None] * way).requires_grad_()
        said = module(points)
        slopes = [
            torch.autograd.grad(said[:, i].sum(), points, retain_graph=True)[0] for i in (0, 1)
        ]
        found.append(torch.stack([(s.mean(dim=0) * way).sum(dim=0) for s in slopes]).numpy())
    return np.stack(found)


def windows(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, WINDOW, K)).astype(np.float32)


@pytest.mark.parametrize(("sharp", "near"), [(1.0, 0.01), (3.0, 0.05), (6.0, 0.25)])
def test_they_are_those_of_a_backward_pass(sharp: float, near: float) -> None:
    module, ends = Bent(sharp, 3), windows(12)
    start = np.full((WINDOW, K), 0.1, np.float32)
    wanted, found = exact(module, start, ends), of(module).explain(ends, start)[:, :, :-1]
    size = np.abs(wanted).sum(axis=2)
    assert (np.abs(found - wanted).sum(axis=2) / size).mean() < near


@pytest.mark.parametrize("sharp", [1.0, 6.0])
@pytest.mark.parametrize("count", [0, 1, 7, 300])
def test_they_add_up_to_the_answer_row_by_row(sharp: float, count: int) -> None:
    network, start = of(Bent(sharp, 4)), np.zeros((WINDOW, K), np.float32)
    ends = windows(count)
    why = network.explain(ends, start)
    assert why.shape == (count, 2, K + 1)
    np.testing.assert_allclose(why.sum(axis=2), network.forecast(ends), atol=1e-6)
    if count > 1:
        alone = network.explain(ends[-1:], start)
        np.testing.assert_allclose(why[-1:], alone, atol=1e-4, err_msg="rows move each other")


def test_what_was_not_known_or_is_as_usual_adds_nothing() -> None:
    network, start = of(Bent(2.0, 5)), windows(1, 9)[0]
    ends = windows(6)
    ends[:, :, 1] = np.nan
    ends[:, :, 3] = start[:, 3]
    why = network.explain(ends, start)
    assert np.abs(why[:, :, [1, 3]]).max() < 1e-6 < np.abs(why[:, :, [0, 2, 4]]).min()
    same = network.explain(start[None], start)
    assert np.abs(same[:, :, :-1]).max() < 1e-6


def test_a_sum_is_explained_by_its_terms() -> None:
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(WINDOW * K, 1))
    weights = module[1].weight.detach().numpy().reshape(WINDOW, K)
    ends, start = windows(5), windows(1, 2)[0]
    found = of(module, Value("identity")).explain(ends, start)[:, 0, :-1]
    np.testing.assert_allclose(found, ((ends - start) * weights).sum(axis=1), atol=2e-4)


def test_bent_ways_are_looked_at_more_closely(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def counted(self: Network, values: np.ndarray) -> np.ndarray:
        asked.append(len(values))
        return plain(self, values)

    plain = Network.forecast
    monkeypatch.setattr(Network, "forecast", counted)
    ends, start = windows(3), np.zeros((WINDOW, K), np.float32)
    flat = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(WINDOW * K, 1))
    calls = []
    for network in (of(flat, Value("identity")), of(Bent(6.0, 4))):
        asked.clear()
        network.explain(ends, start)
        calls.append(sum(asked))
    few, many = calls
    assert few == 1 + 3 + 3 * 4 * (1 + K), "as it is, then four points of each feature by itself"
    assert many > few
