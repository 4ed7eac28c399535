"""Stop the stack and remove its state; databases elsewhere are never touched."""

import shutil
import sys
from pathlib import Path

import down
from plainly import plainly
from stack import ROOT, asked_settings


def is_home(home: Path) -> bool:
    """Whether the folder is a stack's home, so that removing it removes nothing else."""
    return (home / "credentials.json").exists() and home not in (ROOT, *ROOT.parents)


def main() -> int:
    """Remove the home; returns the exit status."""
    asked = asked_settings()
    if asked.home.exists() and not is_home(asked.home):
        print(f"error: {asked.home} is no home of a stack: nothing removed", file=sys.stderr)
        return 1
    if asked.home.exists():
        if down.main():
            return 1
        shutil.rmtree(asked.home)
        print(f"removed {asked.home}")
    return 0


if __name__ == "__main__":
    sys.exit(plainly(main, "`make clean` goes on where it stopped"))
