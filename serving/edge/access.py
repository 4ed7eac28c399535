"""Who may call: API keys by name, and how often each of them in a minute."""

import fcntl
import mmap
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from tempfile import TemporaryFile

from contracts.settings import SettingsError
from serving.edge.errors import ApiError

_SHORTEST = 16
_MINUTE = 60
# Of each key: the minute that is counted, and the calls in it.
_SLOT = struct.Struct("<QQ")


def parse_keys(text: str) -> dict[str, bytes]:
    """Name -> digest of `name:key,name:key`; raises SettingsError, which shows no key."""
    found: dict[str, bytes] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, _, key = part.partition(":")
        sound = bool(name) and part.isprintable() and len(key) >= _SHORTEST
        digest = sha256(key.encode(errors="replace")).digest()
        if not sound or name in found or digest in found.values():
            raise SettingsError(
                "FINPULSE_API_KEYS: expected name:key,name:key with names and keys that differ, of "
                f"keys {_SHORTEST} characters or more; the part after {list(found)} is not so"
            )
        found[name] = digest
    return found


class Quota:
    """Calls of each key in the minute of the clock, counted exactly over all workers of a host.

    Made before the workers are forked, which then share its memory. A lock on a file ends with
    the process that holds it, so that a killed worker blocks no other.
    """

    def __init__(self, per_minute: int, keys: int) -> None:
        self.per_minute = per_minute
        self._file = TemporaryFile()  # noqa: SIM115 (open as long as the process)
        self._file.truncate(max(keys, 1) * _SLOT.size)
        self._shared = mmap.mmap(self._file.fileno(), 0)

    def take(self, place: int, now: float) -> int:
        """Count a call of the key at `place`; 0, or the seconds to wait when none are left."""
        minute, start = int(now) // _MINUTE, place * _SLOT.size
        fcntl.lockf(self._file, fcntl.LOCK_EX, _SLOT.size, start)
        try:
            counted, calls = _SLOT.unpack_from(self._shared, start)
            calls = calls + 1 if counted == minute else 1
            if calls > self.per_minute:
                return _MINUTE - int(now) % _MINUTE
            _SLOT.pack_into(self._shared, start, minute, calls)
            return 0
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, _SLOT.size, start)


@dataclass(frozen=True)
class Access:
    """The keys in force, none of them for an open door, and their quota, None for no limit."""

    keys: Mapping[str, bytes]
    quota: Quota | None = None

    @classmethod
    def of(cls, text: str, per_minute: int) -> "Access":
        """From the settings `api_keys` and `api_quota`."""
        keys = parse_keys(text)
        return cls(keys, Quota(per_minute, len(keys)) if keys and per_minute else None)

    def admit(self, key: str | None) -> str | None:
        """The caller's name, None where no key is asked for; raises ApiError 401 or 429."""
        if not self.keys:
            return None
        if key is None:
            raise _unauthorised("key_missing", "this call needs an API key in the header X-API-Key")
        shown, caller, place = sha256(key.encode()).digest(), "", 0
        # Every key is compared, each in constant time: how long it takes tells nothing.
        for at, (name, digest) in enumerate(self.keys.items()):
            if compare_digest(shown, digest):
                caller, place = name, at
        if not caller:
            raise _unauthorised("key_unknown", "the API key in X-API-Key is not one of ours")
        if self.quota and (seconds := self.quota.take(place, time.time())):
            raise ApiError(
                429,
                "quota_exhausted",
                f"{caller} has made its {self.quota.per_minute} calls of this minute: "
                f"ask again in {seconds} s",
                headers={"Retry-After": str(seconds)},
            )
        return caller


def _unauthorised(code: str, message: str) -> ApiError:
    return ApiError(401, code, message, headers={"WWW-Authenticate": "X-API-Key"})


OPEN = Access({})
