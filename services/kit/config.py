"""What a process is told from outside: environment variables, each with a default that works on one machine."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal, cast

from services.kit.errors import Kind, Problem

__all__ = ["ADDRESSES", "DriverName", "LogFormat", "ServiceConfig", "WrongSettingError"]

DriverName = Literal["motor", "pymongo"]
LogFormat = Literal["text", "json"]

ADDRESSES: Mapping[str, str] = MappingProxyType(
    {
        "gateway": "127.0.0.1:8000",
        "members": "127.0.0.1:7101",
        "points": "127.0.0.1:7102",
        "campaigns": "127.0.0.1:7103",
        "feedback": "127.0.0.1:7104",
    }
)
"""Where each process listens unless NAME_ADDRESS says otherwise. Below 32768, where clients get their own ports."""

_NAMESPACE = re.compile(r"[a-z0-9_-]{0,20}")
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9a-fA-F:]+\]")
_MAX_PORT = 65_535


class WrongSettingError(Problem):
    """{name} is {found!r}; allowed: {allowed}."""

    kind = Kind.INVALID
    code = "WRONG_SETTING"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig:
    """The settings of one process. Nobody below `main` reads the environment."""

    name: str  # "points"
    mongo_url: str
    amqp_url: str
    namespace: str  # before the names of databases and exchanges; keeps two platforms on one machine apart
    driver: DriverName
    keys_dir: Path
    addresses: Mapping[str, str]  # process name → "host:port"
    topology: Path
    log: LogFormat

    @property
    def address(self) -> str:
        """Where this process listens."""
        return self.addresses[self.name]

    @property
    def database_name(self) -> str:
        """The database that is this service's alone."""
        return f"{self.namespace}huitou_{self.name}"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], name: str) -> "ServiceConfig":
        """Read the settings of the process `name`; an empty variable counts as not set."""
        if name not in ADDRESSES:
            raise WrongSettingError(name="the process's name", found=name, allowed=", ".join(ADDRESSES))
        given = {variable: value.strip() for variable, value in environ.items() if value.strip()}
        addresses = {
            each: _address(f"{each.upper()}_ADDRESS", given.get(f"{each.upper()}_ADDRESS", usual))
            for each, usual in ADDRESSES.items()
        }
        return cls(
            name=name,
            mongo_url=_url(given, "MONGO_URL", "mongodb://127.0.0.1:27017/?replicaSet=rs0", "mongodb", "mongodb+srv"),
            amqp_url=_url(given, "AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/", "amqp", "amqps"),
            namespace=_namespace(given.get("HUITOU_NAMESPACE", "")),
            driver=cast("DriverName", _one_of(given, "HUITOU_DRIVER", "motor", "pymongo")),
            keys_dir=Path(given.get("HUITOU_KEYS_DIR", ".state/keys")),
            addresses=MappingProxyType(addresses),
            topology=Path(given.get("HUITOU_TOPOLOGY", "infra/broker/topology.toml")),
            log=cast("LogFormat", _one_of(given, "HUITOU_LOG", "text", "json")),
        )


def _one_of(given: Mapping[str, str], name: str, *allowed: str) -> str:
    """Return the variable's value; the first of `allowed` when it is not set."""
    found = given.get(name, allowed[0]).lower()
    if found not in allowed:
        raise WrongSettingError(name=name, found=found, allowed=" or ".join(allowed))
    return found


def _namespace(found: str) -> str:
    if not _NAMESPACE.fullmatch(found):
        allowed = "up to 20 of a to z, 0 to 9, _ and -, like test_"
        raise WrongSettingError(name="HUITOU_NAMESPACE", found=found, allowed=allowed)
    return found


def _address(name: str, found: str) -> str:
    host, _, port = found.rpartition(":")
    # Port 0 lets the system choose, for tests.
    if not _HOST.fullmatch(host) or not port.isascii() or not port.isdigit() or int(port) > _MAX_PORT:
        raise WrongSettingError(name=name, found=found, allowed="host:port, like 127.0.0.1:7102")
    return found


def _url(given: Mapping[str, str], name: str, usual: str, *schemes: str) -> str:
    found = given.get(name, usual)
    scheme, separator, rest = found.partition("://")
    if scheme not in schemes or not separator or not rest:
        raise WrongSettingError(name=name, found=_without_password(found), allowed=f"a URL like {usual}")
    return found


def _without_password(url: str) -> str:
    """Return `url` fit for a message: who reads an error must not learn the password."""
    return re.sub(r"(?<=://)([^:@/]*):.*(?=@)", r"\1:…", url)
