"""RSS 2.0, read without trusting it: a document that declares entities is not read at all."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from xml.etree import ElementTree
from xml.parsers import expat


class NotRss(ValueError):
    """The text is no RSS document that may be read; the message says what was found."""


@dataclass(frozen=True)
class Item:
    """One item; cells are stripped, and None where they are absent or empty.

    published: UTC, None when the date is absent or no RFC 822 date. others: cells of other
    namespaces by their local name, such as `tickers` or `creator`.
    """

    title: str | None
    link: str | None
    guid: str | None
    description: str | None
    published: datetime | None
    others: dict[str, str]


def items(text: bytes) -> list[Item]:
    """The channel's items in their order; raises NotRss."""
    _refuse_declarations(text)
    root = ElementTree.fromstring(text)
    channel = root.find("channel")
    if root.tag != "rss" or channel is None:
        raise NotRss(f"expected an RSS channel, found <{root.tag}>")
    return [_item(element) for element in channel.findall("item")]


def _refuse_declarations(text: bytes) -> None:
    """Entities are declared in a DTD: without one, nothing can grow or be fetched."""

    def refuse(name: str, *_: object) -> None:
        raise NotRss(f"a document type is declared ({name}), which feeds do not need")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise NotRss(f"no well-formed XML: {error}") from error


def _item(element: ElementTree.Element) -> Item:
    cells = {child.tag: (child.text or "").strip() or None for child in element}
    return Item(
        title=cells.get("title"),
        link=cells.get("link"),
        guid=cells.get("guid"),
        description=cells.get("description"),
        published=_moment(cells.get("pubDate")),
        others={tag.split("}", 1)[1]: cell for tag, cell in cells.items() if cell and "}" in tag},
    )


def _moment(text: str | None) -> datetime | None:
    try:
        at = parsedate_to_datetime(text) if text else None
    except (ValueError, TypeError):
        return None
    return at.astimezone(UTC) if at and at.tzinfo else None
