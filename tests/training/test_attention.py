"""The network with attention: its three forms answer alike, and its quantiles cannot cross."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from training.attention import Shape, export, network, pinball_of
from training.bundle.models.network import Network
from training.bundle.scaler import Scaler
from training.forecast import Quantiles
from training.network import keras

HEAD = Quantiles((0.05, 0.25, 0.5, 0.75, 0.95))
USUAL = np.array([-2.0, -0.5, 0.1, 0.6, 1.9])


@pytest.mark.parametrize(
    "shape",
    [
        Shape(6, 3, 8, 4, 2, 8, 0.0),
        Shape(1, 3, 5, 3, 4, 2, 0.5),
        Shape(60, 2, 128, 64, 4, 128, 0.2),
    ],
    ids=["small", "one session", "as it is trained in earnest"],
)
def test_keras_its_file_and_onnx_agree(shape: Shape, tmp_path: Path) -> None:
    library = keras(3)
    model = network(library, shape, USUAL)
    random = np.random.default_rng(0)
    for layer in model.layers:
        if layer.name != "quantiles":
            layer.set_weights([w + random.normal(0, 0.1, w.shape) for w in layer.get_weights()])
    scaler = Scaler(np.full(shape.width, 0.5), np.full(shape.width, 2.0))
    values = random.normal(0.5, 2.0, (40, shape.window, shape.width)).astype(np.float32)
    values[::5, 0, 0] = np.nan
    wanted = model.predict_on_batch(scaler.apply(values).astype(np.float32))
    assert np.ptp(wanted, axis=0).min() > 1e-3, "it says something of its inputs"
    model.save(tmp_path / "model.keras")
    again = library.saving.load_model(tmp_path / "model.keras", compile=False)
    kept = again.predict_on_batch(scaler.apply(values).astype(np.float32))
    np.testing.assert_allclose(kept, wanted, rtol=1e-4, atol=1e-5)
    served = Network.read({Network.file: export(model, scaler, shape.window)}, HEAD)
    np.testing.assert_allclose(served.forecast(values), wanted, rtol=1e-4, atol=1e-5)
    for odd in (np.inf, -np.inf, np.nan, 1e30):
        told = served.forecast(np.full_like(values[:2], odd))
        HEAD.require(told)


def test_it_begins_at_what_is_usual() -> None:
    model = network(keras(3), Shape(4, 2, 4, 2, 2, 4, 0.0), USUAL)
    for name in ("lowest", "steps"):
        kernel = model.get_layer(name).kernel
        kernel.assign(np.zeros(kernel.shape))
    assert model.predict_on_batch(np.ones((1, 4, 2)))[0] == pytest.approx(USUAL, abs=1e-5)


def test_the_loss_is_the_mean_pinball_loss() -> None:
    from sklearn.metrics import mean_pinball_loss

    random = np.random.default_rng(0)
    truth, said = random.normal(size=50), np.sort(random.normal(size=(50, 5)), axis=1)
    keras(3)
    found = pinball_of(HEAD.levels)(truth.astype(np.float32), _tensor(said))
    by_level = [mean_pinball_loss(truth, said[:, i], alpha=a) for i, a in enumerate(HEAD.levels)]
    assert float(found.mean()) == pytest.approx(np.mean(by_level), rel=1e-5)


def _tensor(values: np.ndarray) -> object:
    from keras import ops

    return ops.convert_to_tensor(values.astype(np.float32))


def test_a_loss_is_made_before_keras_knows_its_backend() -> None:
    # Who asks Keras for its operations first gets the backend of its own choice.
    asked = "import sys; from training.attention import pinball_of; pinball_of((0.5,))"
    code = f"{asked}; sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
