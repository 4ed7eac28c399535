"""Principal components."""

import numpy as np

from training.bundle.codes import Half
from training.encoders.encoding import encoder
from training.forecast import Floats


@encoder("pca")
def pca(scaled: Floats, width: int) -> tuple[Half, Half]:
    """The directions of most variance, and back along them."""
    values, vectors = np.linalg.eigh(scaled.T @ scaled / len(scaled))
    kept = vectors[:, np.argsort(-values, kind="stable")[:width]]
    # The sign of a component is anybody's; here its largest number is above 0.
    kept = kept * np.sign(kept[np.abs(kept).argmax(axis=0), np.arange(kept.shape[1])])
    return Half.straight(kept.T), Half.straight(kept)
