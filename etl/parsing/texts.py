"""Texts and symbols as they come from outside, cleaned once for every source."""

import html
import re
import unicodedata

# Marks of order, direction and hyphenation that nobody sees; joiners (U+200C, U+200D) make letters
# and pictures of what stands around them, and stay in texts.
_UNSEEN = dict.fromkeys(
    [0xAD, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF]
)
# Only with a semicolon: `M&notify` is no `M¬ify`.
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_TAGS = "a|abbr|b|big|br|cite|code|div|em|font|h[1-6]|hr|i|img|li|mark|ol|p|s|small|span|strong"
_TAG = re.compile(rf"</?(?:{_TAGS}|sub|sup|tt|u|ul)(?:\s[^<>]*)?/?>", re.IGNORECASE)
_BREAK = re.compile(r"<(?:br|div|hr|li|p)\b", re.IGNORECASE)
_ESCAPED = re.compile(r"\\[nrt]")


def seen(text: str) -> str:
    """The text as one line of what is seen: without invisible marks, blanks joined, NFC."""
    return unicodedata.normalize("NFC", " ".join(text.translate(_UNSEEN).split()))


def cleaned(text: str) -> str:
    """A sentence to be read: entities resolved, markup and escaped line ends gone, as `seen`."""
    if "&" in text:
        text = _ENTITY.sub(lambda found: html.unescape(found.group()), text)
    if "<" in text:
        text = _TAG.sub(lambda tag: " " if _BREAK.match(tag.group()) else "", text)
    if "\\" in text:
        text = _ESCAPED.sub(" ", text)
    return seen(text)


def symbol(text: str) -> str:
    """A symbol in capitals, in the plain form of its letters, without anything invisible."""
    plain = unicodedata.normalize("NFKC", text)
    shown = "".join(letter for letter in plain if unicodedata.category(letter) != "Cf")
    return " ".join(shown.split()).upper()


def broken(text: str) -> str | None:
    """Why the text cannot be kept: a null character, or letters that UTF-8 has no bytes for."""
    if "\x00" in text:
        return "holds a null character"
    if text.isascii():
        return None
    return "is not UTF-8" if any("\ud800" <= c <= "\udfff" for c in text) else None


def garbled(text: str) -> str | None:
    """Why the text names nothing: as `broken`, or control characters or lost bytes in it."""
    if found := broken(text):
        return found
    if any(unicodedata.category(letter) == "Cc" for letter in text):
        return "holds a control character"
    return "is not UTF-8" if "\ufffd" in text else None
