"""Whether what came was as often, and as far, as a challenger says, beside its champion."""

import numpy as np

from monitoring.release.check import FAIL, NO_DATA, PASS, Check
from monitoring.release.losses import FEWEST, LEVEL, Paired, excess
from training.forecast import Floats
from training.objective import Forecasts

NAME = "settled calibration"
# Of the deviation of what came: so much farther off is worse.
MARGIN = 0.1
LIMIT = f"+{MARGIN:g} deviations, p < {LEVEL:g}"


def check(rows: Paired, horizon: int) -> Check:
    """What the challenger says is no farther from what came than what the champion says.

    In each picture of the objective's calibration two means are 0 for who says what is so: of what
    was said minus what came, and of that times how far what was said stands out, in its deviations
    (who is too sure has more than 0): the intercept and the slope of Cox (1958), Two further
    applications of a model for binary regression, Biometrika 45. It fails where one of them is
    surely farther from 0 than the champion's, by more than the margin; the one that is farthest is
    told, in deviations of what came. The level is shared by all.
    """
    count = len(np.unique(rows.sessions))
    if count < FEWEST:
        why = f"{count} sessions are settled, {FEWEST} are needed"
        return Check(NAME, NO_DATA, LIMIT, why=why)
    champions, its = (_off(rows, said) for said in (rows.first, rows.second))
    found = []
    for name in champions.keys() & its.keys():
        champion, challenger = champions[name], its[name]
        means = abs(float(champion.mean())), abs(float(challenger.mean()))
        farther = np.sign(challenger.mean()) * challenger - np.sign(champion.mean()) * champion
        more, chance = excess(farther, rows.sessions, horizon)
        found.append((more > MARGIN and chance < LEVEL / len(its), more, chance, name, means))
    if not found:
        return Check(NAME, PASS, LIMIT)
    worse, more, chance, name, means = max(found)
    why = f"{name}: {more:+.3f} deviations over {count} sessions (p {chance:.4f})" if worse else ""
    return Check(NAME, FAIL if worse else PASS, LIMIT, *means, why)


def _off(rows: Paired, said: Floats) -> dict[str, Floats]:
    """By name what is 0 on average for who says what is so, (n,), in deviations of what came."""
    told = rows.asked.calibration(Forecasts(rows.asked, said), rows.truth)
    found = {}
    for title, (expected, came) in told.items():
        if came.std() > 0:
            off = (expected - came) / came.std()
            found[f"{title}, level"] = off
            found[f"{title}, sureness"] = off * _standing_out(expected)
    return found


def _standing_out(said: Floats) -> Floats:
    spread = said.std()
    # Who always says the same cannot be too sure of it.
    moved = spread > 1e-9 * abs(said.mean())
    return np.asarray((said - said.mean()) / spread if moved else np.zeros_like(said))
