"""The OpenAPI document as a file of its version, which stays as it was published."""

from pathlib import Path

import orjson

from contracts.expected import Expected
from contracts.store import Store
from serving.app import create_app


class DocumentChanged(Expected):
    """The app's document is another than the published one of the same version."""


def document() -> dict[str, object]:
    """The app's document; neither a database nor a champion is asked for it."""
    return create_app(Store("postgresql://nobody@127.0.0.1:1/nothing"), "sim20").openapi()


def publish(folder: Path) -> Path:
    """Write the document into a file named by its version; returns the file.

    Raises DocumentChanged where that version was published with another content.
    """
    made = document()
    version = made["info"]["version"]  # type: ignore[index]
    file = folder / f"{version}.json"
    written = orjson.dumps(made, option=orjson.OPT_INDENT_2) + b"\n"
    if file.exists() and file.read_bytes() != written:
        raise DocumentChanged(
            f"the app's document is no longer that of {file}: set a VERSION above {version} in "
            "serving/app.py, and run `python -m serving document`"
        )
    folder.mkdir(parents=True, exist_ok=True)
    file.write_bytes(written)
    return file
