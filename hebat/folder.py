"""Where a city's data lie: one folder, one layout, for the demo, a day of trips, and a server."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from hebat.errors import InputRefused
from hebat.settings import named_database, read_settings
from keys.filevault import write_atomically

PASSPHRASE_BYTES = 24


def no_city(root: Path) -> InputRefused:
    """What is said of a folder in which there is no city."""
    return InputRefused(
        f"{root} holds no city: found one with `hebat keys found`, or try a demo's with `hebat demo --keep {root}`"
    )


@dataclass(frozen=True, slots=True)
class Folder:
    """The paths below a data folder."""

    root: Path
    database: str = ""
    """The address of the ledger's database, where it is not the embedded one."""

    @property
    def database_url(self) -> str:
        """The ledger's database: the embedded file, unless another one is named, here or by HEBAT_DATABASE_URL."""
        return self.database or named_database() or f"sqlite:///{self.ledger.absolute()}"

    @property
    def has_ledger(self) -> bool:
        """True where there is a ledger, or a database is named that must have one."""
        return bool(self.database or named_database()) or self.ledger.exists()

    def holds_ledger(self) -> bool:
        """True where the ledger is there: its file, or its tables in the database that is named.

        Raises StorageError where that database does not answer.
        """
        if not self.has_ledger:
            return False
        from ledger.store import Database  # noqa: PLC0415  SQLAlchemy loads only where it is needed

        database = Database(self.database_url)
        try:
            return database.holds_ledger()
        finally:
            database.close()

    @property
    def ledger(self) -> Path:
        """The embedded ledger's file."""
        return self.root / "ledger.db"

    @property
    def vault(self) -> Path:
        """The city's vault."""
        return self.root / "city.vault"

    @property
    def token(self) -> Path:
        """Which PKCS#11 token holds the city's keys; not there for a city whose vault is a file."""
        return self.root / "city.token"

    @property
    def handout(self) -> Path:
        """Beside a token: the vault of the masters that terminals hold, which only that token opens."""
        return self.root / "handout.vault"

    @property
    def root_certificate(self) -> Path:
        """The terminal authority's own certificate, PEM."""
        return self.root / "authority.pem"

    @property
    def ceremony_record(self) -> Path:
        """The signed record of the key ceremony."""
        return self.root / "ceremony.cose"

    @property
    def configuration(self) -> Path:
        """The name of the configuration that the city was founded with."""
        return self.root / "configuration"

    @property
    def bank_out(self) -> Path:
        """Payment files for the banks; their statements arrive in `inbox` below it."""
        return self.root / "banks"

    @property
    def staff_key(self) -> Path:
        """The key that seals the authenticators of the console's staff."""
        return self.root / "staff.key"

    @property
    def schemas(self) -> Path:
        """The ISO 20022 schemas that bank files are held against: HEBAT_SCHEMAS, else a folder of the city's own."""
        return Path(read_settings().schemas or self.root / "schemas")

    @property
    def checkpoints(self) -> Path:
        """The published checkpoints, and the key that they are signed with."""
        return self.root / "checkpoints"

    @property
    def report(self) -> Path:
        """What the last run found, as JSON."""
        return self.root / "report.json"

    def night(self, business_date: str) -> Path:
        """A night's whole document, as JSON; the screen shows the beginning of its lists."""
        return self.root / "nights" / f"{business_date}.json"

    def terminal(self, number: int) -> Path:
        """A terminal's own disk."""
        return self.root / "terminals" / str(number)

    def make(self) -> None:
        """Make the folder; raises InputRefused where it holds a city already."""
        if self.vault.exists() or self.token.exists():
            raise InputRefused(
                f"{self.root} holds a city already: name a folder that is empty or not there yet"
            )
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def keeps_passphrase(self) -> bool:
        """Whether the vault's passphrase lies beside it, as a demo leaves it."""
        return (self.root / "city.passphrase").exists()

    def passphrase(self, *, new: bool = False) -> str:
        """The vault's passphrase; a demo keeps it beside the vault, a real city never would.

        Raises InputRefused where the folder holds none.
        """
        path = self.root / "city.passphrase"
        if new:
            write_atomically(path, secrets.token_urlsafe(PASSPHRASE_BYTES).encode())
        if not path.exists():
            raise no_city(self.root)
        return path.read_text(encoding="utf-8")
