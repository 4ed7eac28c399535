"""Stop the laptop stack and see to it that no process of it is left."""

import sys
from pathlib import Path

import psutil
from plainly import plainly
from processes import end, marked
from stack import asked_settings
from supervise import Supervisor

from training.run.scratch import sweep


def stop(home: Path) -> list[psutil.Process]:
    """Stop everything that was started in `home`; returns what would not end."""
    try:
        Supervisor(home).shutdown()
    except (OSError, psutil.TimeoutExpired) as error:
        print(f"supervisord did not stop by itself ({error}): ending its processes")
    supervisor = Supervisor(home).process
    end([*([supervisor] if supervisor else []), *marked(home)])
    sweep(home)
    return marked(home)


def main() -> int:
    """Stop the stack; returns the exit status."""
    home = asked_settings().home
    left = stop(home)
    if left:
        names = ", ".join(f"{p.pid} ({p.name()})" for p in left)
        print(f"error: these processes would not end: {names}", file=sys.stderr)
        return 1
    print(f"no process of the stack in {home} is left")
    return 0


if __name__ == "__main__":
    sys.exit(plainly(main, "`make down` goes on where it stopped"))
