"""Settings from the environment, typed and checked: HEBAT_PORT, HEBAT_LOG_LEVEL, HEBAT_DATABASE_URL, HEBAT_SCHEMAS and the like.

`Settings` names them all. A token's PIN is no setting: `hebat.vaults` takes it from HEBAT_TOKEN_PIN, or from the file that
HEBAT_TOKEN_PIN_FILE names; a vault's passphrase likewise, from HEBAT_PASSPHRASE_FILE.
"""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated, Final
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from hebat.errors import InputRefused

_HERE: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class LogLevel(StrEnum):
    """How much a server tells."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogForm(StrEnum):
    """How a server's log is written."""

    AUTO = "auto"
    JSON = "json"
    PEOPLE = "people"


class Settings(BaseSettings):
    """What an operator may set; the command line's own options come before it."""

    model_config = SettingsConfigDict(env_prefix="HEBAT_", extra="ignore")

    port: Annotated[int, Field(ge=0, le=65_535)] = 8460
    """The port on 127.0.0.1 that a server takes."""
    log_level: LogLevel = LogLevel.INFO
    """How much a server tells: debug, info, warning or error."""
    log_form: LogForm = LogForm.AUTO
    """How its log is written: json, people, or auto: for people at a terminal, and JSON elsewhere."""
    database_url: str = ""
    """The ledger's database, such as postgresql+psycopg2:///city, the same for every command of a city; without it SQLite, in the city's folder."""
    schemas: str = ""
    """A folder of ISO 20022 schemas, where they lie elsewhere than in the city's folder."""
    module: str = ""
    """The PKCS#11 module of the city's token, where it is another than the city was founded with."""
    token: str = ""
    """The token's label, likewise."""
    page_address: str = ""
    """Where cardholders reach this server, such as https://kartu.example: with https, their cookie goes over TLS only."""
    proxies: str = ""
    """Addresses of reverse proxies before this server, by commas: only their word is taken for where a call comes from."""
    tls_certificate: str = ""
    """A certificate for this server itself (PEM): it speaks TLS 1.3 alone, also to the proxy on this machine."""
    tls_key: str = ""
    """The key of that certificate (PEM)."""
    scanner: str = ""
    """The socket of a clamd, such as /run/clamav/clamd.ctl: no file that staff bring is taken that it does not call good."""
    answer_bank_days: Annotated[int, Field(ge=1, le=60)] = 10
    """Bank days within which this city answers a holder's report: its promise, as its lawyers read Bank Indonesia's rules."""


def named_database(option: str | None = None) -> str:
    """The address of the ledger's database, from an option or from HEBAT_DATABASE_URL; "" for the embedded one.

    Raises InputRefused where it is no such address.
    """
    url = option or read_settings().database_url
    if url and not url.startswith(("sqlite:///", "postgresql+psycopg2://", "postgresql://")):
        raise InputRefused("a database's address begins with sqlite:/// or postgresql+psycopg2://")
    if url.startswith("postgresql") and not _is_sure(url):
        raise InputRefused(
            "a database on another machine is spoken to over TLS alone, and its certificate is checked: "
            "add ?sslmode=verify-full&sslrootcert=FILE to its address"
        )
    return url.replace("postgresql://", "postgresql+psycopg2://", 1)


def _is_sure(url: str) -> bool:
    """Whether a PostgreSQL's address leads to this machine, or over TLS to a name that is checked; what it leaves open, libpq takes from the environment."""
    address = urlsplit(url)
    said = {name: values[-1] for name, values in parse_qs(address.query).items()}
    named = [
        said.get("host") or address.hostname or os.environ.get("PGHOST"),
        said.get("hostaddr") or os.environ.get("PGHOSTADDR"),
    ]
    hosts = [host for one in named if one for host in one.split(",")]
    mode = said.get("sslmode") or os.environ.get("PGSSLMODE")
    return mode == "verify-full" or all(host.startswith("/") or host in _HERE for host in hosts)


def read_settings() -> Settings:
    """The settings of this process; raises InputRefused, naming the variable, where one is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"HEBAT_{str(first['loc'][0]).upper()}"
        raise InputRefused(f"{name} is {first['input']!r}: {first['msg']}") from None
