"""Sealing: data encrypted before it reaches a database, under a data key for each subject.

AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce before each ciphertext. What is sealed is bound to its place by
a context that is authenticated with it, so that a sealed value copied to another subject's document does not open.
Data keys are sealed the same way ("wrapped") under a wrapping key that the database never holds: whoever has the
database has nothing, and whoever destroys a subject's data key has destroyed all that was ever sealed with it, in
every backup too. A wrapping key may wrap 2^32 data keys (SP 800-38D, section 8.3): more than there are people.
"""

from base64 import b64decode, b64encode
from binascii import Error as NotBase64Error
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.kit.errors import Kind, Problem

KEY_BYTES = 32
NONCE_BYTES = 12

RandomBytes = Callable[[int], bytes]
"""Returns so many bytes that nobody can guess."""


class SealBrokenError(Problem):
    """Something sealed does not open: it was changed, belongs elsewhere, or was sealed under another key."""

    kind = Kind.FAULT
    code = "SEAL_BROKEN"


class UnknownWrappingKeyError(Problem):
    """A data key was wrapped by {key}, which is not among the wrapping keys that this process was given."""

    kind = Kind.FAULT
    code = "UNKNOWN_WRAPPING_KEY"


class WrongWrappingKeysError(Problem):
    """The file of wrapping keys {path} is not right: {why}."""

    kind = Kind.FAULT
    code = "WRONG_WRAPPING_KEYS"


def seal(key: bytes, plain: bytes, *, context: bytes, nonce: bytes) -> bytes:
    """Return `plain` sealed under `key` (32 bytes); `nonce` (12 random bytes) is used this once."""
    return nonce + AESGCM(key).encrypt(nonce, plain, context)


def unseal(key: bytes, sealed: bytes, *, context: bytes) -> bytes:
    """Return what was sealed under the same key and context, or raise SealBrokenError."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context)
    except (InvalidTag, ValueError) as error:
        raise SealBrokenError from error


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key under the wrapping key that is named `by`."""

    by: str
    value: bytes


@dataclass(frozen=True, slots=True)
class DataKey:
    """A data key, and the context that it is wrapped in: whose it is."""

    value: bytes
    context: bytes


class WrappingKeys(Protocol):
    """Who wraps data keys: a file, or a key service. A call takes a whole page, so that a service is asked once."""

    async def current(self) -> str:
        """Return the name of the key that wraps from now on."""

    async def wrap(self, keys: Sequence[DataKey]) -> list[WrappedKey]:
        """Return `keys` under the current wrapping key, in their order."""

    async def unwrap(self, wrapped: Sequence[tuple[WrappedKey, bytes]]) -> list[bytes]:
        """Return the data keys of (wrapped, context) in their order, or raise UnknownWrappingKeyError."""


class FileWrappingKeys:
    """Wrapping keys from a file of lines "NAME BASE64", the first of which wraps; all of them unwrap.

    The file is looked at again whenever it has changed, so a new first line takes effect without a restart: put the
    new key on the second line everywhere, then move it up, then wrap all anew, then take the old line out.
    """

    def __init__(self, path: Path, *, random_bytes: RandomBytes) -> None:
        self._path, self._random_bytes = path, random_bytes
        self._read_at: tuple[int, int] = (-1, -1)
        self._keys: dict[str, AESGCM] = {}
        self._load()

    async def current(self) -> str:
        """Return the name on the first line."""
        self._load()
        return next(iter(self._keys))

    async def wrap(self, keys: Sequence[DataKey]) -> list[WrappedKey]:
        """Wrap under the first line's key."""
        self._load()
        name, key = next(iter(self._keys.items()))
        wrapped = []
        for one in keys:
            nonce = self._random_bytes(NONCE_BYTES)
            wrapped.append(WrappedKey(name, nonce + key.encrypt(nonce, one.value, one.context)))
        return wrapped

    async def unwrap(self, wrapped: Sequence[tuple[WrappedKey, bytes]]) -> list[bytes]:
        """Unwrap by whichever line's key wrapped each."""
        self._load()
        return [self._unwrap(one, context) for one, context in wrapped]

    def _unwrap(self, wrapped: WrappedKey, context: bytes) -> bytes:
        if (key := self._keys.get(wrapped.by)) is None:
            raise UnknownWrappingKeyError(key=wrapped.by)
        try:
            return key.decrypt(wrapped.value[:NONCE_BYTES], wrapped.value[NONCE_BYTES:], context)
        except (InvalidTag, ValueError) as error:
            raise SealBrokenError from error

    def _load(self) -> None:
        """Read the file if it has changed. A stat for each page costs a microsecond, a stale key an outage."""
        try:
            stat = self._path.stat()
            seen = stat.st_mtime_ns, stat.st_size
            if seen == self._read_at:
                return
            text = self._path.read_text("ascii")
        except (OSError, UnicodeDecodeError) as error:
            if self._keys:  # a file that is being replaced this moment: what was read still holds
                return
            raise WrongWrappingKeysError(path=self._path, why="it cannot be read") from error
        self._keys, self._read_at = self._parsed(text), seen

    def _parsed(self, text: str) -> dict[str, AESGCM]:
        keys: dict[str, AESGCM] = {}
        for number, line in enumerate(text.splitlines(), 1):
            name, _, encoded = line.strip().partition(" ")
            if not name or name.startswith("#"):
                continue
            try:
                value = b64decode(encoded.strip(), validate=True)
            except NotBase64Error:
                value = b""
            if len(value) != KEY_BYTES or name in keys:
                why = f"line {number} is not a new name and {KEY_BYTES} bytes in base64"
                raise WrongWrappingKeysError(path=self._path, why=why)
            keys[name] = AESGCM(value)
        if not keys:
            raise WrongWrappingKeysError(path=self._path, why="it has no key")
        return keys


def wrapping_key_line(name: str, randomness: bytes) -> str:
    """Return a line of the file for a key made of 32 random bytes."""
    return f"{name} {b64encode(randomness).decode()}\n"
