"""Names that other servers of this kind and platforms that run containers use for our settings."""

import logging
from collections.abc import Callable, Iterable, MutableMapping

from contracts.settings import PREFIX, SettingsError

log = logging.getLogger(__name__)

NAMES = {
    "HOST": "HOST",
    "PORT": "PREDICTOR_PORT",
    "CORS_ORIGINS": "CORS_ORIGINS",
    "MODEL_PATH": "OBJECTS_URL",
    "DATASET_PATH": "DATA",
}
# What a model sees is part of its bundle: such a name is compared and changes nothing.
SEEN = ("SEQ_LEN", "ROLLING_WINDOW")


def adopt(environment: MutableMapping[str, str]) -> None:
    """Set each of our settings that is unset and has a value under its old name."""
    for old, name in NAMES.items():
        ours = PREFIX + name
        if environment.get(old) and not environment.get(ours):
            environment[ours] = environment[old]
            log.info("%s is taken for %s", old, ours)


def require_seen(
    environment: MutableMapping[str, str], windows: Callable[[], Iterable[int]]
) -> None:
    """Raise SettingsError where an old name says how many sessions a model sees, and none does.

    windows: asked only then, the sessions that the models in office see.
    """
    for old in SEEN:
        if not (told := environment.get(old)):
            continue
        if (found := sorted(set(windows()))) and told not in map(str, found):
            raise SettingsError(
                f"{old}={told}: expected what a model in office sees ({_listed(found)} sessions), "
                "which is part of its bundle: unset it, or promote a model that sees as much"
            )


def _listed(numbers: list[int]) -> str:
    return " or ".join(map(str, numbers))
