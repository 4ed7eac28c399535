"""Documents: every link leads somewhere in this repository, every command is one that there is."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from schemas import complaints

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True
    ).stdout.splitlines()
)
FENCE = re.compile(r"^(```|~~~).*?^\1", re.M | re.S)
LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
REFERENCE = re.compile(r"^\[[^\]]+\]:\s*<?(\S+?)>?\s*$", re.M)


def anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings."""
    found: dict[str, int] = {}
    text = FENCE.sub("", page.read_text())
    for title in re.findall(r"^#{1,6}\s+(.+?)\s*#*$", text, re.M):
        words = re.sub(r"[`*]|\]\([^)]*\)|\[", "", title).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        found[slug] = found.get(slug, -1) + 1
        if found[slug]:
            found[f"{slug}-{found[slug]}"] = 0
    return set(found) | set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text))


def broken(page: Path, root: Path = ROOT) -> Iterator[str]:
    """Links of a page into this repository that lead nowhere."""
    text = FENCE.sub("", page.read_text())
    text = re.sub(r"`[^`\n]*`", "", text)
    for target in (*LINK.findall(text), *REFERENCE.findall(text)):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        name, _, anchor = target.partition("#")
        place = (page.parent / name).resolve() if name else page
        if not place.exists() or not place.is_relative_to(root):
            yield f"{page.relative_to(root)}: {target}: no such file"
        elif anchor and (place.suffix != ".md" or anchor not in anchors(place)):
            yield f"{page.relative_to(root)}: {target}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert list(broken(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_targets_of_make_are_there(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    text = page.read_text()
    asked = set(re.findall(r"`make ([a-z][a-z-]*)", text))
    for block in FENCE.finditer(text):
        asked |= set(re.findall(r"^make ([a-z][a-z-]*)", block[0], re.M))
    assert asked <= targets


def test_contributors_are_told_what_ci_runs() -> None:
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    run = set(re.findall(r"run: (make (?!setup)[^\n]+)", workflow))
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert run and {command for command in run if f"`{command}`" not in text} == set()


def test_issue_templates_are_forms_of_github() -> None:
    folder = ROOT / ".github" / "ISSUE_TEMPLATE"
    forms = sorted(p for p in folder.glob("*.yml") if p.name != "config.yml")
    assert len(forms) == 3
    kinds = {
        "github-issue-forms": forms,
        "github-issue-config": [folder / "config.yml"],
    }
    for kind, files in kinds.items():
        assert not complaints(kind, *files)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[a](b.md)", "a.md: b.md: no such file"),
        ("[a](#twice-2)", "a.md: #twice-2: no such heading"),
        ("[`a` [b]](c.md#x)", "a.md: c.md#x: no such heading"),
        ("![a](../a.png)", "a.md: ../a.png: no such file"),
        ('[a](nowhere "title")', "a.md: nowhere: no such file"),
        ("[a]: gone.md", "a.md: gone.md: no such file"),
    ],
)
def test_a_broken_link_is_found(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "c.md").write_text("# Here\n")
    page = tmp_path / "a.md"
    page.write_text(f"# Twice\n## Twice\n{text}\n")
    assert list(broken(page, tmp_path)) == [told]


def test_links_that_lead_somewhere_pass(tmp_path: Path) -> None:
    (tmp_path / "c.md").write_text("# The `verb`, and [more](x.md)\n```sh\n# no heading\n```\n")
    page = tmp_path / "a.md"
    page.write_text(
        "# Twice\n## Twice\n[a](c.md#the-verb-and-more) [b](#twice-1) [c](https://example.org/x#y)\n"
        "`[d](gone.md)`\n```md\n[e](gone.md)\n```\n"
    )
    assert list(broken(page, tmp_path)) == []
