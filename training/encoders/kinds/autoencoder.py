"""A network that is to say again what it was told, through few numbers."""

import copy
from typing import Any

import numpy as np

from training.bundle.codes import Half
from training.encoders.encoding import encoder
from training.encoders.kinds.pca import pca
from training.forecast import Floats

HIDDEN = 48
_BATCH, _EPOCHS, _PATIENCE, _RATE, _NEWEST = 512, 60, 8, 2e-3, 0.15


@encoder("autoencoder")
def autoencoder(scaled: Floats, width: int) -> tuple[Half, Half]:
    """Principal components, bent both ways by a hidden layer that begins by adding nothing.

    It learns on the older rows until the newest ones are said again no better: where the rows are
    straight it stays at the components.
    """
    import torch

    torch.manual_seed(7)
    count = max(1, int(len(scaled) * (1 - _NEWEST)))
    older, newest = (torch.tensor(x, dtype=torch.float32) for x in (scaled[:count], scaled[count:]))
    network = _network(scaled.shape[1], width, pca(scaled[:count], width))
    if not len(newest):
        return _halves(network)
    steps = torch.optim.Adam(network.parameters(), _RATE)
    order = torch.Generator().manual_seed(7)
    best, kept, worse = _apart(network, newest), copy.deepcopy(network), 0
    for _ in range(_EPOCHS):
        for rows in torch.split(torch.randperm(count, generator=order), _BATCH):
            steps.zero_grad()
            loss = ((network(older[rows]) - older[rows]) ** 2).mean()
            loss.backward()
            steps.step()
        now = _apart(network, newest)
        worse = 0 if now < best else worse + 1
        if now < best:
            best, kept = now, copy.deepcopy(network)
        if worse > _PATIENCE:
            break
    return _halves(kept)


def _apart(network: Any, rows: Any) -> float:
    import torch

    with torch.inference_mode():
        return float(((network(rows) - rows) ** 2).mean())


def _network(k: int, width: int, begun: tuple[Half, Half]) -> Any:
    import torch

    class Bent(torch.nn.Module):
        def __init__(self, half: Half, inputs: int, outputs: int) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(inputs, outputs, bias=False)
            self.inner = torch.nn.Linear(inputs, HIDDEN)
            self.outer = torch.nn.Linear(HIDDEN, outputs, bias=False)
            self.linear.weight.data = torch.tensor(half.linear, dtype=torch.float32)
            self.outer.weight.data.zero_()

        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.linear(rows) + self.outer(torch.tanh(self.inner(rows)))
            return found

    return torch.nn.Sequential(Bent(begun[0], k, width), Bent(begun[1], width, k))


def _halves(network: Any) -> tuple[Half, Half]:
    down, up = (
        Half(
            *(
                x.detach().numpy().astype(np.float64)
                for x in (one.linear.weight, one.inner.weight, one.inner.bias, one.outer.weight)
            )
        )
        for one in network
    )
    return down, up
