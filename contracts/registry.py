"""Discovery of members: a file or function in the right folder is all that a new member needs."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Generic, TypeVar

from contracts.expected import Expected

Member = TypeVar("Member")


class UnknownMember(Expected, KeyError):
    """A name that no discovered member bears; the message lists those that exist."""

    def __str__(self) -> str:
        return str(self.args[0])


class Registry(Generic[Member]):
    """Members of one kind, declared by a decorator in the modules of one folder.

    Only the members' folder is walked, so no `__main__` is ever imported; a module that fails
    to import raises, and two members of one name raise.
    """

    def __init__(self, kind: str, folder: str) -> None:
        self.kind = kind
        self.folder = folder
        self._members: dict[str, Member] = {}
        self._discovered = False

    def add(self, name: str, member: Member) -> None:
        """Called by the kind's decorator; raises ValueError when the name is taken."""
        if name in self._members:
            raise ValueError(f"two {self.kind}s are named {name!r}: rename one of them")
        self._members[name] = member

    def discover(self) -> None:
        """Import all members, unless they are known; raises what their modules raise."""
        if not self._discovered:
            package = importlib.import_module(self.folder)
            for module in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{self.folder}.{module.name}")
            self._discovered = True

    def get(self, name: str) -> Member:
        """The member of that name; raises UnknownMember naming those that exist."""
        self.discover()
        if name not in self._members:
            raise UnknownMember(
                f"no {self.kind} is named {name!r}; found: {', '.join(sorted(self._members))}"
            )
        return self._members[name]

    def names(self) -> list[str]:
        """All names, sorted."""
        self.discover()
        return sorted(self._members)

    def __iter__(self) -> Iterator[Member]:
        return iter([self.get(name) for name in self.names()])
