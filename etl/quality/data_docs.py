"""The data docs' first page, whole without network: the built one fetches its scripts."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Data docs: {title}</title>
<style>
body {{ font: 15px system-ui, sans-serif; margin: 2em; max-width: 60em }}
table {{ border-collapse: collapse }}
th, td {{ text-align: left; padding: .4em 1em; vertical-align: top }}
tr {{ border-bottom: 1px solid #ddd }} .failed {{ color: #b00020; font-weight: bold }}
</style></head>
<body><h1>{title}</h1>
<table><tr><th>table</th><th>expectations</th><th>held</th><th>failed</th></tr>
{rows}
</table>
<h2>Told of its rows</h2>
<ul>
{told}
</ul></body></html>
"""


def write_index(
    folder: Path,
    title: str,
    counts: Mapping[str, int],
    failed: Mapping[str, Sequence[str]],
    told: Sequence[str] = (),
) -> None:
    """Replace `index.html` in `folder`: per table how many expectations held, and what failed.

    counts: expectations by table. failed: what is said of those that failed, by table. told: of
    refused rows, and of those that are loaded and look strange.
    """
    rows = "\n".join(_row(folder, name, n, failed.get(name, ())) for name, n in counts.items())
    items = "\n".join(f"<li>{escape(line)}</li>" for line in told or ("nothing",))
    page = _PAGE.format(title=escape(title), rows=rows, told=items)
    (folder / "index.html").write_text(page)


def _row(folder: Path, table: str, count: int, failed: Sequence[str]) -> str:
    def link(page: Path, text: str) -> str:
        return f'<a href="{escape(str(page.relative_to(folder)))}">{escape(text)}</a>'

    said = "<br>".join(escape(words) for words in failed)
    # The site has one validation of each table: pages of an earlier try are older by name.
    validation = max((folder / "validations" / table).rglob("*.html"))
    cells = (
        link(validation, table),
        link(folder / "expectations" / f"{table}.html", str(count)),
        str(count - len(failed)),
        f'<span class="failed">{said}</span>' if said else "none",
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
