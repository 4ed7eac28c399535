"""What torch runs on, and what it sees of the machine."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from contracts.expected import Expected


class DeviceMissing(Expected, RuntimeError):
    """Torch does not see what it was asked to run on; the message says how to look."""


@dataclass(frozen=True)
class Device:
    """cpu or cuda; half: bfloat16 where torch multiplies. rank, world: which of the workers that
    share each batch this is."""

    name: str = "cpu"
    half: bool = False
    rank: int = 0
    world: int = 1

    @property
    def parts(self) -> int:
        """In how many parts of like length a batch is taken."""
        return 1 if self.name == "cuda" or self.world > 1 else 4

    def cast(self) -> AbstractContextManager[Any]:
        """The context in which a network is run."""
        import torch

        return torch.autocast(self.name, torch.bfloat16, enabled=self.half)

    def mean(self, number: float) -> float:
        """The mean over the workers of what each has."""
        import torch

        if self.world == 1:
            return number
        shared = torch.tensor(number, device=self.name)
        torch.distributed.all_reduce(shared)
        return float(shared) / self.world


def device(asked: str) -> Device:
    """As FINPULSE_DEVICE takes it, in bfloat16 on a GPU; raises DeviceMissing."""
    import torch

    seen = torch.cuda.is_available()
    if asked == "cuda" and not seen:
        raise DeviceMissing(
            "expected a GPU, torch sees none: `python -m training gpu-check` tells what it sees; "
            "use --device cpu otherwise"
        )
    name = "cuda" if seen and asked != "cpu" else "cpu"
    return Device(name, half=name == "cuda")


def seen() -> tuple[list[str], bool]:
    """What torch sees, a line each, and whether there is a GPU that it can multiply on."""
    import torch

    lines = [f"torch {torch.__version__}, built for CUDA {torch.version.cuda or 'none'}"]
    if not torch.cuda.is_available():
        return [*lines, f"no GPU; {torch.get_num_threads()} threads of the processor"], False
    for number in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(number)
        lines.append(
            f"cuda:{number} {about.name}, {about.total_memory / 2**30:.1f} GiB, compute "
            f"{about.major}.{about.minor}, bfloat16 {torch.cuda.is_bf16_supported()}"
        )
    made = torch.ones((256, 256), device="cuda")
    works = float((made @ made)[0, 0]) == 256.0
    return [*lines, f"a product of matrices is {'right' if works else 'WRONG'}"], works
