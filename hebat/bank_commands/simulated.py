"""A simulated bank's folder: its books, its clients' secrets and public keys, its accounts, the statement of a day."""

from __future__ import annotations

import csv
import secrets
from dataclasses import dataclass
from sqlite3 import IntegrityError
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from hebat.demo import statements
from hebat.errors import InputRefused
from keys.clock import day_of
from keys.errors import MoneyError
from keys.filevault import write_atomically
from keys.money import Sen, parse
from settlement.banks.dialects import dialect_of
from settlement.banks.wire import HttpWire
from settlement.errors import BankError
from settlement.partner_bank.bank import PartnerBank
from settlement.partner_bank.books import CLEARING, Books
from settlement.partner_bank.faults import Faults, shares_of
from settlement.partner_bank.front import Front
from settlement.partner_bank.moving import Hours
from settlement.partner_bank.telling import PATH, Teller, new_key
from settlement.snap.codes import Service
from settlement.snap.fields import read_body

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from keys.clock import Clock

FORMATS: Final = ("mt940", "camt053")
OUR_ACCOUNT: Final = "1000000001"
_ACCOUNTS: Final = f"""number,name,rupiah,consent
{OUR_ACCOUNT},KARTU SEMARANG HEBAT,100000000,
2000000002,LUMPIA GANG LOMBOK,0,
3000000003,SARI W,5000000,consent-3000000003
"""


@dataclass(frozen=True, slots=True)
class BankFolder:
    """Where a simulated bank lives."""

    root: Path

    @property
    def secret(self) -> Path:
        """The secret that it shares with its one client: for the client's vault."""
        return self.root / "client.secret"

    @property
    def key(self) -> Path:
        """The bank's own key: proves what it tells."""
        return self.root / "bank.key"

    @property
    def public_key(self) -> Path:
        """Its public half, for `hebat bank add --bank-key`."""
        return self.root / "bank.pem"

    @property
    def accounts(self) -> Path:
        """Its accounts at the start, CSV."""
        return self.root / "accounts.csv"

    def make(self) -> None:
        """Make what is not there yet."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self.secret.exists():
            write_atomically(self.secret, secrets.token_urlsafe(32).encode())
        if not self.key.exists():
            private, public = new_key()
            write_atomically(self.key, private)
            self.public_key.write_bytes(public)
        if not self.accounts.exists():
            self.accounts.write_text(_ACCOUNTS, encoding="utf-8")

    def books(self) -> Books:
        """Its books, with every account of the file open; raises InputRefused."""
        books = Books(self.root / "bank.db")
        with books.session() as session:
            session.open_account(CLEARING, "OTHER BANKS")
            for line, row in enumerate(
                csv.DictReader(self.accounts.read_text(encoding="utf-8").splitlines()), 2
            ):
                try:
                    session.open_account(
                        row["number"], row["name"], parse(row["rupiah"]), row["consent"] or None
                    )
                except (KeyError, TypeError, MoneyError):
                    raise InputRefused(
                        f"{self.accounts}, line {line}: it wants number, name, rupiah, consent"
                    ) from None
        return books

    def bank(self, books: Books, clock: Clock, dialect: str, client: tuple[str, str, Path]) -> PartnerBank:
        """The bank, which lets one client in: client id, partner id, file of its public key."""
        name, partner, key = client
        if not key.exists():
            raise InputRefused(
                f"{key} is not there: `hebat bank add` writes the public key that the bank is told"
            )
        with books.session() as session:
            session.add_client(name, partner, key.read_text(encoding="utf-8"))
        secret = self.secret.read_bytes()
        spoken = dialect_of(dialect)
        paths = {spoken.path(service): service for service in Service if service is not Service.VA_NOTIFY}
        return PartnerBank(books, Front(lambda asked: secret if asked == name else None), clock, paths)

    def pay_into(
        self, order: tuple[str, str, str, str, Sen], notify: str, partner_id: str, clock: Clock
    ) -> str:
        """Pay into a virtual account (request, number, payer, client's account, sen) and tell the client; a sentence of what became of it."""
        request, number, payer, ours, amount = order
        books = self.books()
        teller = Teller(books, self.key.read_bytes(), partner_id)
        try:
            kept = teller.booked(request, number, payer, ours, amount, clock.now())
        except IntegrityError:
            raise InputRefused(f"the account {payer} is short of that: nothing moved") from None
        finally:
            books.close()
        if kept is None:
            raise InputRefused(f"there is no virtual account {number}, or no account {payer}: nothing moved")
        told = urlsplit(notify)
        wire, path = HttpWire(f"{told.scheme}://{told.netloc}"), told.path.rstrip("/") + PATH
        try:
            reply = wire.send(teller.call(path, kept, str(secrets.randbelow(10**18)), clock.now()))
        except BankError as error:
            return (
                f"{request}: paid, and the client did not hear of it ({error}): run it again to tell it again"
            )
        finally:
            wire.close()
        said = read_body(reply.body) or {}
        return f"{request}: paid, the client answers {said.get('responseCode', reply.status)} {said.get('responseMessage', '')}".rstrip()


def hours_of(text: str) -> Hours:
    """From "6-17"; raises InputRefused."""
    first, _, end = text.partition("-")
    if not (first.isdigit() and end.isdigit() and int(first) <= 24 and int(end) <= 24):  # noqa: PLR2004  hours of a day
        raise InputRefused(f"{text!r} are no hours: write them as 6-17, or 0-0 for always")
    return Hours(int(first), int(end))


def faults_of(text: str, seed: int) -> Faults:
    """From "lost-after=0.1,twice=0.05"; raises InputRefused."""
    try:
        return Faults(seed, shares_of(text))
    except ValueError:
        raise InputRefused(
            f"{text!r} are no faults: write them as lost-after=0.1,twice=0.05, one in all at most"
        ) from None


def statement(books: Books, account: str, day: date, form: str) -> bytes:
    """An account's day as MT940 or camt.053, as the demo's banks write them; raises InputRefused."""
    if form not in FORMATS:
        raise InputRefused(f"{form!r} is no form of a statement: {' or '.join(FORMATS)}")
    number = day_of(day)
    with books.session() as session:
        found = session.account(account)
        if found is None:
            raise InputRefused(f"the bank has no account {account}")
        moved = session.entries(account, number, number)
        later = sum(one.amount for one in session.entries(account, number, number + 1_000_000))
    lines = [statements.Movement(one.amount, one.reference, one.text, one.bank_reference) for one in moved]
    opening = Sen(found.balance - later)
    told = statements.Account("SIM", account, day, day.timetuple().tm_yday, opening, lines)
    return statements.mt940(told) if form == "mt940" else statements.camt053(told, "08")
