"""Seconds and memory of the stages of a run, as this process spends them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time

from rich.table import Table

_OWN = Path("/proc/self")
_GIB = 2**20  # of kB


class Stages:
    """wall: seconds by the clock, which a busy machine stretches; processor: seconds computed, of
    all threads. Of each stage the largest memory that was resident during it, GiB."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, float, float, float]] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure what is done inside, and say it."""
        forget()
        wall, processor = perf_counter(), process_time()
        yield
        row = (name, perf_counter() - wall, process_time() - processor, peak())
        self.rows.append(row)
        print(
            f"{name}: {row[1]:.0f} s, {row[2]:.0f} s of a processor, {row[3]:.2f} GiB", flush=True
        )

    def shown(self) -> Table:
        """The stages, and all of them."""
        table = Table("stage", "seconds", "of a processor", "peak, GiB")
        whole = [sum(column) for column in list(zip(*self.rows, strict=True))[1:3]]
        peaks = max(row[3] for row in self.rows)
        for name, *numbers in (*self.rows, ("all", *whole, peaks)):
            table.add_row(name, *(f"{x:.1f}" for x in numbers[:2]), f"{numbers[2]:.2f}")
        return table


def forget() -> None:
    """Let the largest memory be that of now."""
    (_OWN / "clear_refs").write_text("5")


def peak() -> float:
    """The largest memory resident since it was last forgotten, GiB."""
    lines = (_OWN / "status").read_text().splitlines()
    [line] = [one for one in lines if one.startswith("VmHWM:")]
    return int(line.split()[1]) / _GIB
