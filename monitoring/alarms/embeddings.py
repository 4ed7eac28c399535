"""Embedding drift: sessions whose headlines mean something else than those before."""

import numpy as np

from features.view import view
from monitoring.alarms.features import unlike
from monitoring.family import Track, Watched, family
from monitoring.meaning import meanings
from monitoring.watch.chart import LEAST


@family("embeddings")
def embeddings(watched: Watched) -> Track | None:
    """How far a session's mean embedding lies from its usual place.

    None of a champion that reads no texts, or whose text model embeds nothing.
    """
    if not watched.text_model or view(watched.bundle.manifest.view).interval != "1d":
        return None
    parts = [meanings(watched.store, cut, watched.text_model) for cut in watched.spans]
    told = [part for part in parts if len(part[0])]
    if not told:
        return None
    days = np.concatenate([part[0] for part in told]).astype("datetime64[D]")
    values = np.concatenate([part[1] for part in told])
    return Track(days, unlike(values, watched.before(days, LEAST)))
