"""Encoders: what is lost of rows never seen, beside components of the same width."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA

from contracts import objects
from contracts.registry import UnknownMember
from training.bundle.codes import Encoder, EncoderMissing, registered
from training.encode.learnt import share_lost
from training.encoders.encoding import ENCODERS, learn, register

UNTIL = datetime(2024, 6, 28, 20, tzinfo=UTC)
NAMES = tuple(f"f{place}" for place in range(12))


def rows(bent: bool, count: int = 3000, seed: int = 0) -> np.ndarray:
    """Twelve features of two factors: each in proportion, or bent by it."""
    draw = np.random.default_rng(seed)
    factors = draw.normal(size=(count, 2))
    told = factors @ np.random.default_rng(1).normal(size=(2, 12))
    if bent:
        told[:, :8] = np.column_stack(
            [factors[:, i % 2] ** 2 if i % 3 else np.tanh(2 * factors[:, i % 2]) for i in range(8)]
        )
    found: np.ndarray = (told + draw.normal(0, 0.1, told.shape)).astype(np.float32)
    return found


def made(kind: str, values: np.ndarray, width: int = 2) -> Encoder:
    return learn(kind, width, "0" * 16, NAMES, (values, UNTIL))


@pytest.fixture(params=ENCODERS.names())
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def test_components_are_those_of_sklearn() -> None:
    values = rows(False)
    one = made("pca", values)
    scaled = one.scaler.apply(values)
    wanted = PCA(2).fit(scaled)
    lost = ((scaled - wanted.inverse_transform(wanted.transform(scaled))) ** 2).sum()
    assert share_lost(one, values) == pytest.approx(lost / (scaled**2).sum(), rel=1e-3)


@pytest.mark.slow
def test_an_autoencoder_loses_less_of_bent_rows_and_no_more_of_straight_ones() -> None:
    for bent, most in ((True, 0.7), (False, 1.02)):
        learnt, unseen = rows(bent), rows(bent, seed=9)
        lost = [share_lost(made(kind, learnt), unseen) for kind in ("autoencoder", "pca")]
        assert lost[0] < most * lost[1], (bent, lost)


def test_up_to_what_it_learnt_from_it_says_nothing(kind: str) -> None:
    values = rows(True, 500)
    values[3] = np.nan
    as_of = np.full(500, np.datetime64("2024-06-28T20:00:00", "us"))
    as_of[250:] += np.timedelta64(1, "us")
    found = made(kind, values).encode(values, as_of)
    assert found.shape == (500, 2)
    assert np.isnan(found[:250]).all() and np.isfinite(found[250:]).all()


def test_a_registered_one_is_the_same_by_its_version(kind: str) -> None:
    values = rows(True, 500)
    one = made(kind, values)
    version = register(one)
    assert version.startswith(f"{kind}-") and register(made(kind, values)) == version
    again, later = registered(version), np.full(500, np.datetime64("2025-01-02", "us"))
    assert np.array_equal(again.encode(values, later), one.encode(values, later))
    assert (again.trained_until, again.features, again.width) == (UNTIL, NAMES, 2)
    assert register(made(kind, values, width=3)) != version
    objects.put(f"encoders/{version}.json", b"{}")
    with pytest.raises(EncoderMissing, match="was changed"):
        registered(version)
    with pytest.raises(EncoderMissing, match="python -m training encoder"):
        registered(f"{kind}-0123456789ab")
    with pytest.raises(UnknownMember):
        made("wavelets", values)


@pytest.mark.integration
def test_the_verb_registers_an_encoder_of_a_views_rows(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import simulated
    from typer.testing import CliRunner

    from contracts.settings import settings
    from features.matrix.matrix import materialise
    from features.view import view
    from training.__main__ import app

    for name, value in {"INSTRUMENTS": 6, "SESSIONS": 260}.items():
        monkeypatch.setenv(f"FINPULSE_SIM_{name}", str(value))
    settings.cache_clear()
    cut = simulated.load_facts(store)
    materialise(store, cut, view("market_3"))
    words = ["encoder", "--session", str(cut.last), "--snapshot", str(cut.snapshot)]
    options = ["--kind", "pca", "--width", "4", "--held-out", "40"]
    done = CliRunner().invoke(app, [*words, *options], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "of 40 unseen sessions is lost" in done.stderr
    found = registered(done.stdout.splitlines()[-1])
    assert found.trained_until == cut.end and found.view_hash == view("market_3").hash
