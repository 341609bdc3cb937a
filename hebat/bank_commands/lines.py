"""A city's lines to its banks: who they are (partners.json), and our keys towards them (partners.vault)."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hebat.errors import InputRefused
from hebat.vaults import passphrase
from keys.filevault import write_atomically
from keys.partner import PartnerVault
from settlement.banks.dialects import dialect_of
from settlement.banks.line import BankLine, BankName
from settlement.banks.wire import HttpWire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hebat.folder import Folder
    from keys.clock import Clock


@dataclass(frozen=True, slots=True)
class Partner:
    """A bank as the city speaks to it: its number in the books, its dialect and address, who we are there, our account.

    `merchant_id` is who we are to its direct debits, where that is not our account; `title` is how people call it; `service_id` begins its virtual accounts; `public_key` (PEM) proves what it tells us.
    """

    name: str
    code: int
    dialect: str
    address: str
    client_id: str
    partner_id: str
    account: str
    authority: str = ""
    title: str = ""
    service_id: str = ""
    public_key: str = ""
    merchant_id: str = ""


def partners(folder: Folder) -> dict[str, Partner]:
    """The banks of a city by name; raises InputRefused for a file that is none."""
    path = _file(folder)
    if not path.exists():
        return {}
    wanted = {field.name for field in fields(Partner)}
    try:
        read: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        return {one["name"]: Partner(**{name: one[name] for name in wanted & one.keys()}) for one in read}
    except (ValueError, TypeError, KeyError):
        raise InputRefused(f"{path} is no list of banks: restore it, or add the banks anew") from None


def add(folder: Folder, partner: Partner, secret: bytes) -> str:
    """Add a bank and make our keys towards it; the public key that the bank is told. Raises InputRefused, KeysError."""
    dialect_of(partner.dialect)
    HttpWire(partner.address, Path(partner.authority) if partner.authority else None).close()
    known = partners(folder)
    if partner.name in known:
        raise InputRefused(f"there is a bank {partner.name} already: take another name")
    path = folder.root / "partners.vault"
    typed = passphrase(folder)
    vault = PartnerVault.open(path, typed) if path.exists() else PartnerVault.create(path, typed)
    public = vault.add(partner.name, secret)
    told = [asdict(one) for one in (*known.values(), partner)]
    write_atomically(_file(folder), json.dumps(told, indent=1).encode())
    return public


def move(folder: Folder, name: str, address: str) -> None:
    """A bank answers at another address from now on; raises InputRefused."""
    known = partners(folder)
    if name not in known:
        raise InputRefused(f"there is no bank {name}: add it with `hebat bank add`")
    known[name] = replace(known[name], address=address)
    write_atomically(_file(folder), json.dumps([asdict(one) for one in known.values()], indent=1).encode())


@contextmanager
def lines(folder: Folder, clock: Clock, answer_seconds: float = 30) -> Iterator[dict[str, BankLine]]:
    """Lines to all banks of a city while the context lasts; raises InputRefused, KeysError."""
    known = partners(folder)
    if not known:
        raise InputRefused(f"{folder.root} has no line to a bank: add one with `hebat bank add`")
    vault = PartnerVault.open(folder.root / "partners.vault", passphrase(folder))
    with ExitStack() as stack:
        found = {}
        for one in known.values():
            wire = HttpWire(one.address, Path(one.authority) if one.authority else None, answer_seconds)
            stack.callback(wire.close)
            name = BankName(
                one.name,
                dialect_of(one.dialect),
                one.client_id,
                one.partner_id,
                one.merchant_id or one.account,
            )
            found[one.name] = BankLine(name, wire, vault, clock)
        yield found


def _file(folder: Folder) -> Path:
    return folder.root / "partners.json"
