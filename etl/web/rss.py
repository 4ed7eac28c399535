"""RSS 2.0, read without trusting it: a document that declares entities is not read at all.

A document that is no well-formed XML is read item by item, so that a bare `&` costs nothing and
an item that stays unreadable costs itself only.
"""

import html
import re
from dataclasses import dataclass, field
from datetime import datetime
from xml.etree import ElementTree
from xml.parsers import expat

from etl.parsing import cells

# Encodings in which feeds come; expat knows but the first few.
_ENCODINGS = re.compile(
    r"utf-?(8|16)(le|be)?|(us-)?ascii|iso-?8859-?\d{1,2}|latin-?1|(windows-|cp)125\d|koi8-[ru]"
    r"|gb(2312|k|18030)|big5(-?hkscs)?|shift_jis|euc-(jp|kr)|iso-2022-jp"
)
_DECLARED = re.compile(rb"""^<\?xml[^>]{0,100}?encoding\s*=\s*["']([A-Za-z0-9_.:-]{1,40})["']""")
_HEAD = re.compile(r"^\s*<\?xml[^>]*\?>")
_ITEM = re.compile(r"<item(?:\s[^>]*)?>.*?</item\s*>", re.DOTALL)
_NAMESPACES = re.compile(r"""\sxmlns:[A-Za-z][\w.-]*\s*=\s*(?:"[^"<]*"|'[^'<]*')""")
_ENTITY = re.compile(r"&(#[0-9]{1,7};|#[xX][0-9a-fA-F]{1,6};|[A-Za-z][A-Za-z0-9]{1,31};)?")
_OWN = ("&amp;", "&lt;", "&gt;", "&quot;", "&apos;")
# Characters that XML does not allow, in no spelling.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


class NotRss(ValueError):
    """The text is no RSS document that may be read; the message says what was found."""


@dataclass(frozen=True)
class Item:
    """One item; cells are cleaned, and None where they are absent or empty.

    published: UTC, None when the date is absent or no time, and `untimed` says what is wrong
    with it. others: cells of other namespaces by their local name, such as `tickers` or
    `creator`. fault: why the item cannot be read; then only `raw`, its beginning, says something.
    """

    title: str | None = None
    link: str | None = None
    guid: str | None = None
    description: str | None = None
    published: datetime | None = None
    untimed: str = ""
    others: dict[str, str] = field(default_factory=dict)
    fault: str | None = None
    raw: str = ""


def items(text: bytes) -> list[Item]:
    """The channel's items in their order; raises NotRss."""
    document = _decoded(text)
    try:
        _refuse_declarations(document)
        root = ElementTree.fromstring(document)
    except (expat.ExpatError, ElementTree.ParseError, ValueError) as error:
        if isinstance(error, NotRss):
            raise
        return _one_by_one(document, error)
    channel = root.find("channel")
    if root.tag != "rss" or channel is None:
        raise NotRss(f"expected an RSS channel, found <{root.tag}>")
    return [_item(element) for element in channel.findall("item")]


def _decoded(text: bytes) -> str:
    """The document as text, without the declaration of what it was encoded in."""
    wide = text[:2] in (b"\xff\xfe", b"\xfe\xff")
    declared = _DECLARED.match(text.lstrip())
    named = "utf-16" if wide else declared.group(1).decode().lower() if declared else "utf-8-sig"
    if not wide and named.startswith("utf-8"):
        named = "utf-8-sig"
    if named != "utf-8-sig" and not _ENCODINGS.fullmatch(named):
        raise NotRss(f"an encoding of feeds was expected, found {named}")
    try:
        return _HEAD.sub("", text.decode(named), count=1)
    except (UnicodeError, LookupError) as error:
        raise NotRss(f"the text is not in {named}, as it says: {error}") from error


def _refuse_declarations(text: str) -> None:
    """Entities are declared in a DTD: without one, nothing can grow or be fetched."""

    def refuse(name: str, *_: object) -> None:
        raise NotRss(f"a document type is declared ({name}), which feeds do not need")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(text, True)


def _one_by_one(document: str, error: Exception) -> list[Item]:
    found = list(_ITEM.finditer(document))
    head = document[: found[0].start()] if found else document
    if "<!DOCTYPE" in document.upper():
        raise NotRss("a document type is declared, which feeds do not need")
    whole = re.search(r"</rss\s*>\s*$", document) and re.search(r"<rss[\s>]", head)
    if not found or not whole:
        raise NotRss(f"no well-formed XML: {error}") from error
    spaces = "".join(dict.fromkeys(_NAMESPACES.findall(head)))
    told = [_alone(match.group(), spaces) for match in found]
    # What opens as an item and is not closed before the next one is lost in that one's text.
    return [part for item in told for part in item]


def _alone(text: str, spaces: str) -> list[Item]:
    """The item, mended where its meaning is certain; of several glued together each a fault."""
    mended = _ENTITY.sub(_known, _FORBIDDEN.sub("", text))
    try:
        _refuse_declarations(f"<rss{spaces}>{mended}</rss>")
        [element] = ElementTree.fromstring(f"<rss{spaces}>{mended}</rss>").findall("item")
    except (expat.ExpatError, ElementTree.ParseError, ValueError) as error:
        opened = len(re.findall(r"<item[\s>]", text))
        fault = f"item is no well-formed XML: {error}"
        return [Item(fault=fault, raw=text[:500])] * max(opened, 1)
    return [_item(element)]


def _known(match: re.Match[str]) -> str:
    """A bare `&` stands for itself, and a name of HTML for its letter."""
    found = match.group()
    if found in _OWN or found.startswith("&#"):
        return found
    letter = html.unescape(found)
    return html.escape(letter) if letter != found else f"&amp;{found[1:]}"


def _item(element: ElementTree.Element) -> Item:
    told = {child.tag: "".join(child.itertext()) for child in element if isinstance(child.tag, str)}
    title, wrong = cells.text(told.get("title"))
    published, untimed = cells.moment(told.get("pubDate"))
    link, guid = (cells.name(told.get(name))[0] for name in ("link", "guid"))
    others = {tag.split("}", 1)[1]: cell.strip() for tag, cell in told.items() if "}" in tag}
    return Item(
        title=title,
        link=link,
        guid=guid,
        description=cells.text(told.get("description"))[0],
        published=published,
        untimed=f"{untimed.removeprefix('is ')}: {cells.shown(told.get('pubDate'))}"
        * bool(untimed),
        others={name: cell for name, cell in others.items() if cell},
        fault=f"text {wrong}" if wrong else None,
        raw=cells.shown(told.get("title")) if wrong else "",
    )
