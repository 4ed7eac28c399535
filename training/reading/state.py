"""The state of a run between two checks: weights, moments and how far it is; no pickle."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from contracts import objects
from training.reading.device import Device

_NOW, _BEST, _MOVES = "now.", "best.", "moves."


@dataclass(frozen=True)
class Vault:
    """Where a run's state lies in the object store; an empty key keeps nothing."""

    key: str = ""

    def read(self) -> bytes | None:
        """The newest state, or None."""
        return objects.get(self.key) if self.key and objects.exists(self.key) else None

    def write(self, content: Callable[[], bytes]) -> None:
        """Keep it in the place of the one before."""
        if self.key:
            objects.put(self.key, content())


class State:
    """Of what learns in a network, and its optimiser, whole on every worker however spread."""

    def __init__(self, network: Any, optimiser: Any, vault: Vault, where: Device) -> None:
        self._network, self._optimiser = network, optimiser
        self._vault, self._where = vault, where
        self._best: Mapping[str, Any] = {}

    def begin(self) -> dict[str, Any]:
        """Take the vault's state on, and return how far it is; nothing for a new run."""
        content = self._vault.read()
        if content is None:
            return {}
        import safetensors.torch as tensors
        from torch.distributed.checkpoint.state_dict import set_optimizer_state_dict

        told = _told(content)
        found = tensors.load(content)
        self._best = _under(_BEST, found)
        self._put(_under(_NOW, found))
        parts: dict[str, dict[str, Any]] = {}
        for name, value in _under(_MOVES, found).items():
            whose, _, kind = name.rpartition("/")
            parts.setdefault(whose, {})[kind] = value
        moves = {"state": parts, "param_groups": told["groups"]}
        set_optimizer_state_dict(self._network, self._optimiser, moves, options=_options())
        return dict(told["progress"])

    def keep(self, progress: Mapping[str, Any], share: float) -> None:
        """Keep the state at a check; share: its weight in what is chosen in the end, so far."""
        import safetensors.torch as tensors
        from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict

        now = {k: v.clone() for k, v in self._weights().items()}
        if share:
            self._best = _mixed(self._best, now, share)
        if not self._vault.key:
            return
        moves: Any = get_optimizer_state_dict(self._network, self._optimiser, options=_options())
        whole = {f"{of}/{k}": v for of, kinds in moves["state"].items() for k, v in kinds.items()}
        told = {"progress": progress, "groups": moves["param_groups"]}
        named = ((_NOW, now), (_BEST, self._best), (_MOVES, whole))
        parts = {
            prefix + k: v.detach().cpu().contiguous().clone()
            for prefix, part in named
            for k, v in part.items()
        }
        if self._where.rank == 0:
            metadata = {"told": orjson.dumps(told).decode()}
            self._vault.write(lambda: tensors.save(parts, metadata))

    def choose(self) -> None:
        """Let the network be what it was at its best check, or on average of the last ones."""
        self._put(self._best)

    def _weights(self) -> dict[str, Any]:
        from torch.distributed.checkpoint.state_dict import get_model_state_dict

        return dict(get_model_state_dict(self._network, options=_options()))

    def _put(self, weights: Mapping[str, Any]) -> None:
        from torch.distributed.checkpoint.state_dict import set_model_state_dict

        if weights:
            set_model_state_dict(self._network, dict(weights), options=_options())


def _options() -> Any:
    from torch.distributed.checkpoint.state_dict import StateDictOptions

    # Every worker has all of it: which check was the best, each finds by itself. What is frozen is
    # the checkpoint's, and as large as all the rest.
    return StateDictOptions(full_state_dict=True, ignore_frozen_params=True, strict=False)


def _under(prefix: str, found: Mapping[str, Any]) -> dict[str, Any]:
    # In one order on every worker, which safetensors does not keep: shards are dealt one by one.
    return {k.removeprefix(prefix): found[k] for k in sorted(found) if k.startswith(prefix)}


def _mixed(old: Mapping[str, Any], new: Mapping[str, Any], share: float) -> Mapping[str, Any]:
    if share == 1:
        return new
    # What is counted in whole numbers is the newest one's.
    return {k: old[k].lerp(v, share) if v.is_floating_point() else v for k, v in new.items()}


def best(network: Any, vault: Vault) -> None:
    """Let a network have the weights that were chosen among the checks in the vault."""
    import safetensors.torch as tensors

    network.load_state_dict(_under(_BEST, tensors.load(vault.read() or b"")), strict=False)


def progress(vault: Vault) -> dict[str, Any]:
    """How far the run of a vault is, by its newest state; nothing for a new one."""
    content = vault.read()
    return dict(_told(content)["progress"]) if content else {}


def _told(content: bytes) -> dict[str, Any]:
    size = int.from_bytes(content[:8], "little")
    return dict(orjson.loads(orjson.loads(content[8 : 8 + size])["__metadata__"]["told"]))
