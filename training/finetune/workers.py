"""One course learnt by several workers at once, by Ray Train: DDP or FSDP."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from contracts.expected import Expected
from contracts.settings import settings
from training.reading.course import Course
from training.reading.device import Device
from training.reading.learning import Progress, Task, learn, probe, rates
from training.reading.reader import Base, build
from training.reading.state import Vault, progress
from training.reading.tokens import opened
from training.steps.search import cluster

Strategy: TypeAlias = Literal["ddp", "fsdp"]


class WorkersFailed(Expected, RuntimeError):
    """A worker raised; the message holds what it said."""


@dataclass(frozen=True)
class Spread:
    """Where a course is learnt: on `here`'s device, in this process or by so many workers."""

    here: Device = Device()
    workers: int = 1
    strategy: Strategy = "ddp"

    @property
    def apart(self) -> bool:
        """Whether Ray's workers do it."""
        return self.workers > 1 or self.strategy == "fsdp" or bool(settings().ray_address)


def learn_spread(
    known: Base, task: Task, vault: Vault, spread: Spread, told: Callable[[Progress], None]
) -> Progress:
    """As `learn`, each worker with its part of every batch; the vault holds the best weights.

    Workers reach the object store by the settings of this process. Raises WorkersFailed.
    """
    with cluster(0) as folder:
        from ray.train import RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer

        gpu = spread.here.name == "cuda"
        plain = {"learnt": task.learnt, "held": task.held, "course": asdict(task.course)}
        trainer = TorchTrainer(
            _work,
            train_loop_config={
                **plain,
                "known": known,
                "key": vault.key,
                "half": spread.here.half,
                "strategy": spread.strategy,
                "settings": _shared(),
            },
            torch_config=TorchConfig(backend="nccl" if gpu else "gloo"),
            scaling_config=ScalingConfig(num_workers=spread.workers, use_gpu=gpu),
            run_config=RunConfig(name="fit", storage_path=folder),
        )
        try:
            trainer.fit()
        except Exception as error:
            raise WorkersFailed(f"{type(error).__name__}: {error}") from error
    # Ray passes on what comes with its own checkpoints alone.
    done = Progress(**progress(vault))
    told(done)
    return done


def _shared() -> dict[str, str]:
    return {
        "FINPULSE_OBJECTS_URL": settings().objects,
        "FINPULSE_HOME": str(settings().home.absolute()),
    }


def _unheard(_: Progress) -> None:
    """The driver is told of the end."""


def _work(config: dict[str, Any]) -> None:
    import os

    os.environ.update(config["settings"])
    settings.cache_clear()
    from ray import train
    from ray.train.torch import get_device

    context, course = train.get_context(), Course(**config["course"])
    place = get_device()
    where = Device(place.type, config["half"], context.get_world_rank(), context.get_world_size())
    tokenizer = opened(config["known"].tokenizer, course.length)
    task = Task(config["learnt"], config["held"], tokenizer, course)
    network = build(config["known"], course)
    probe(network.to(place), task, where)
    rates(network, course)  # What is frozen must be so before it is spread.
    wrapped = _spread(network, where, config["strategy"])
    learn(wrapped, task, where, Vault(config["key"]), _unheard)


def _spread(network: Any, where: Device, strategy: Strategy) -> Any:
    if strategy == "ddp":
        from ray.train.torch import prepare_model

        return prepare_model(network, parallel_strategy="ddp")
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    # Ray's own way refuses a single worker, and processors.
    return fully_shard(network, mesh=init_device_mesh(where.name, (where.world,)))
