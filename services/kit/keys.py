"""Key files: each process's private key, and the public keys of those whom it believes.

`DIR/points.pem` is the private key of points, readable by its owner only; `DIR/trusted/points.pem` is the public one.
`DIR/identities.key` is what hashes of identities are keyed with, `DIR/wrapping.keys` what wraps the members' data keys
(`kit.sealing`). In production each process is given its own private key, the folder `trusted`, where it meets
identities `identities.key`, members alone `wrapping.keys`, and nothing else.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from secrets import token_bytes
from tempfile import NamedTemporaryFile
from types import MappingProxyType

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.kit.clock import Clock
from services.kit.errors import Problem
from services.kit.principal import Caller, Signer, Trusted, Verifier
from services.kit.sealing import FileWrappingKeys, wrapping_key_line

MAY_VOUCH_FOR: Mapping[str, frozenset[Caller]] = MappingProxyType(
    {
        "gateway": frozenset({Caller.MEMBER, Caller.STAFF, Caller.PARTNER, Caller.TILL, Caller.SERVICE}),
        "members": frozenset({Caller.SERVICE}),
        "points": frozenset({Caller.SERVICE}),
        "campaigns": frozenset({Caller.SERVICE}),
        "feedback": frozenset({Caller.SERVICE}),
        "operator": frozenset({Caller.OPERATOR}),
    }
)
"""Whose word counts for whom. Fixed here, not beside the keys: who can add a file must not gain rights by its name."""

IDENTITIES = "identities.key"
WRAPPING = "wrapping.keys"
SECRET_BYTES = 32


class NoKeyError(Problem):
    """There is no usable key at {path}: {why}. `make run` makes its own; else point HUITOU_KEYS_DIR at them."""

    code = "NO_KEY"


def ensure_keys(directory: Path, names: Iterable[str] = tuple(MAY_VOUCH_FOR)) -> None:
    """Make the keys that are missing. Existing ones stay; any number of processes may do this at once."""
    trusted = directory / "trusted"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    trusted.mkdir(exist_ok=True)
    _make_once(directory / IDENTITIES, token_bytes(SECRET_BYTES))
    _make_once(directory / WRAPPING, wrapping_key_line("first", token_bytes(SECRET_BYTES)).encode())
    for name in names:
        _make_private(directory / f"{name}.pem")
        public = _private(directory / f"{name}.pem").public_key()
        _make_public(trusted / f"{name}.pem", public)


def load_signer(directory: Path, name: str, *, clock: Clock) -> Signer:
    """Return what makes tokens in the name of the process `name`, or raise `NoKeyError`."""
    return Signer(key_id=name, key=_private(directory / f"{name}.pem"), clock=clock)


@dataclass(frozen=True, slots=True)
class OwnKey:
    """A process's own key, for what it signs to last: not tokens, but documents that are checked years later."""

    key_id: str  # the process's name, and 16 hex digits of SHA-256 over the raw public key: a new key has another
    key: Ed25519PrivateKey

    def sign(self, text: bytes) -> bytes:
        """Return the Ed25519 signature over `text` (64 bytes)."""
        return self.key.sign(text)

    def is_signed(self, text: bytes, signature: bytes, key_id: str) -> bool:
        """Tell whether this key, under this id, made `signature` over `text`."""
        if key_id != self.key_id:
            return False
        try:
            self.key.public_key().verify(signature, text)
        except InvalidSignature:
            return False
        return True


def load_own_key(directory: Path, name: str) -> OwnKey:
    """Return the private key of the process `name` for signing documents, or raise `NoKeyError`."""
    key = _private(directory / f"{name}.pem")
    return OwnKey(f"{name}/{sha256(key.public_key().public_bytes_raw()).hexdigest()[:16]}", key)


def load_verifier(directory: Path, *, clock: Clock) -> Verifier:
    """Return what believes the processes whose public keys are in `directory/trusted`, or raise `NoKeyError`."""
    trusted = {
        name: Trusted(key=_public(path), kinds=kinds)
        for name, kinds in MAY_VOUCH_FOR.items()
        if (path := directory / "trusted" / f"{name}.pem").exists()
    }
    if not trusted:
        raise NoKeyError(path=directory / "trusted", why="nobody would be believed")
    return Verifier(trusted, clock=clock)


def load_identity_key(directory: Path) -> bytes:
    """Return the key of the hashes by which identities are known outside members, or raise `NoKeyError`.

    It is the same for all services and never changes: with another one nobody would be found any more.
    """
    path = directory / IDENTITIES
    try:
        key = path.read_bytes()
    except OSError as error:
        raise NoKeyError(path=path, why=_reason(error)) from error
    if len(key) != SECRET_BYTES:
        raise NoKeyError(path=path, why=f"it has not {SECRET_BYTES} bytes")
    return key


def load_wrapping_keys(directory: Path) -> FileWrappingKeys:
    """Return what wraps the members' data keys, or raise `WrongWrappingKeysError`."""
    return FileWrappingKeys(directory / WRAPPING, random_bytes=token_bytes)


def _make_private(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _make_once(path, pem)


def _make_once(path: Path, pem: bytes) -> None:
    if path.exists():
        path.chmod(0o600)
        return
    # A link, not a rename: of two processes that make the key at once the first wins, and the other takes that one.
    # A rename would replace a key that the first may have signed with already.
    scratch = _write_beside(path, pem)
    try:
        path.hardlink_to(scratch)
    except FileExistsError:
        pass
    finally:
        scratch.unlink()


def _make_public(path: Path, key: Ed25519PublicKey) -> None:
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    if path.exists() and path.read_bytes() == pem:
        return
    scratch = _write_beside(path, pem)
    scratch.chmod(0o644)
    scratch.replace(path)


def _write_beside(path: Path, content: bytes) -> Path:
    """Return a new file in the same folder with all of `content` on disk; readable by its owner only."""
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as scratch:
        scratch.write(content)
        scratch.flush()
        os.fsync(scratch.fileno())
    return Path(scratch.name)


def _private(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise NoKeyError(path=path, why=_reason(error)) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise NoKeyError(path=path, why="it is not an Ed25519 key")
    return key


def _public(path: Path) -> Ed25519PublicKey:
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise NoKeyError(path=path, why=_reason(error)) from error
    if not isinstance(key, Ed25519PublicKey):
        raise NoKeyError(path=path, why="it is not an Ed25519 key")
    return key


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "it is not a PEM key without password"
