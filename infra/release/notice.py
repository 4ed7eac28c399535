"""Makes NOTICE of licences.toml: `python infra/release/notice.py > NOTICE`."""

import sys
import textwrap
import tomllib
from pathlib import Path

MANIFEST = Path(__file__).with_name("licences.toml")
HEAD = """FinPulse
Licence of the code: MIT (LICENSE). Packages that it needs keep their own: each image's are listed
in its CycloneDX file (docs/release.md).

What follows is data and models of others. None of the data is in this repository or in an image.
FinPulse is for research; nothing here is advice to buy or sell.
"""
KINDS = {"source": "Sources of facts", "model": "Models", "data": "Data sets measured or tested on"}


def things() -> list[dict[str, str | bool]]:
    """What the manifest lists, in its order."""
    found: list[dict[str, str | bool]] = tomllib.loads(MANIFEST.read_text())["thing"]
    return found


def notice() -> str:
    """The text of NOTICE."""
    parts = [HEAD]
    for kind, title in KINDS.items():
        parts.append(f"\n{title}\n{'-' * len(title)}\n")
        for each in things():
            if str(each["place"]).startswith(f"{kind}:"):
                allowed = "yes" if each["commercial"] else "no, or not known"
                lines = [f"\n{each['name']} ({each['place']})\n"]
                about = {"of": each["owner"], "licence": each["licence"]}
                about |= {"commercial use": allowed, "here": each["use"]}
                lines += [_wrapped(f"{key}: {value}") for key, value in about.items()]
                parts += lines
    return "".join(parts)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 100, initial_indent="  ", subsequent_indent="    ") + "\n"


if __name__ == "__main__":
    sys.stdout.write(notice())
