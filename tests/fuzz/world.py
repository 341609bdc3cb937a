"""What the real writers need to make inputs: a vault, keys, a terminal, a card; made once a process, in memory as far as they can be."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from card import purse
from card.batch import FIRST_DIGEST, Context, RecordStatus, TapRecord, encode_batch, encode_record
from card.layout import NEVER, Concession, Identity, TapKind, card_number
from card.personalise import personalise
from card.purse import Change
from card.virtual import VirtualCard
from keys import envelope
from keys.clock import Day, UnixMs
from keys.filevault import FileVault
from keys.identity import TerminalAuthority, TerminalIdentity, TerminalRole
from keys.money import Rupiah
from keys.vault import Role

if TYPE_CHECKING:
    from collections.abc import Callable

NOW: Final = UnixMs(1_795_000_000_000)
TERMINAL: Final = 1001
KID: Final = TERMINAL.to_bytes(4, "big")
KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC: Final = KEY.public_key().public_bytes_raw()
SECRET: Final = bytes(range(32, 64))
EXCHANGE: Final = X25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


class Stopped:
    """A clock that stands still."""

    def now(self) -> UnixMs:
        return NOW


@cache
def home() -> Path:
    """Where the folders of this process and of those that it forks lie, in memory where the system has such a place; it goes with this process."""
    shared = Path("/dev/shm")
    made = Path(tempfile.mkdtemp(prefix="hebat-fuzz-", dir=shared if shared.is_dir() else None))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


@cache
def folder() -> Path:
    """A folder of this process alone."""
    return Path(tempfile.mkdtemp(dir=home()))


@cache
def vault() -> FileVault:
    """A city's vault with all roles."""
    made = FileVault.create(folder() / "city.vault", "x", 16)
    for number, role in enumerate(Role):
        made.add_master(role, 1, bytes([number]) * 16)
    made.generate_signing_key("authority")
    return made


@cache
def authority() -> TerminalAuthority:
    """Who issues certificates."""
    return TerminalAuthority(vault(), "authority", Stopped())


@cache
def identity() -> TerminalIdentity:
    """A terminal's key."""
    return TerminalIdentity(folder() / "device", SECRET)


@cache
def certificate() -> bytes:
    """That terminal's certificate."""
    return authority().enrol(identity().request(), TERMINAL, TerminalRole.KIOSK, 12)


@cache
def chip() -> VirtualCard:
    """A card of the city with 50,000 rupiah."""
    made = VirtualCard(bytes([4, 1, 2, 3, 4, 5, 6]))
    number = card_number(9, 1)
    pupil = Concession.PUPIL
    personalise(
        made, vault(), Identity(number, 9, 1, registered=False, concession=pupil, concession_until=Day(21_000), valid_until=NEVER)
    )  # fmt: skip
    tap(TapKind.LOAD, 50_000, 1, made)
    return made


def tap(kind: TapKind, amount: int, sequence: int, card: VirtualCard | None = None) -> TapRecord:
    """A real transaction, as a terminal records it."""
    card = card or chip()
    card.leave_field()
    open_ = purse.open_card(card, vault(), Role.LOAD if kind.credits_card else Role.DEBIT)
    intent = open_.stage(Change(kind, Rupiah(amount), None, TERMINAL, sequence, NOW))
    tmv = open_.commit().tmv
    return TapRecord(
        sequence, RecordStatus.CONFIRMED, kind, card.uid, intent.tmc, tmv, intent.tmi, intent.change.signed_amount, NOW, intent.seen.tmc,
        intent.seen.tmv, Context("1", "Simpang Lima", "H 1234 AB", "kota-1", ("concession:pupil",)),
    )  # fmt: skip


@cache
def records() -> tuple[TapRecord, ...]:
    """Some records."""
    kinds = (TapKind.FARE, TapKind.SALE, TapKind.LOAD, TapKind.FARE)
    return tuple(tap(kind, 1_000 * number, number) for number, kind in enumerate(kinds, 1))


@cache
def batch() -> bytes:
    """A batch of them, not signed."""
    return encode_batch(TERMINAL, 1, FIRST_DIGEST, NOW, [encode_record(one) for one in records()])


def sealed(payload: bytes, content_type: str, kid: bytes = KID) -> bytes:
    """A signed message of the terminal whose key is `KEY`."""
    return envelope.seal(payload, kid=kid, sign=KEY.sign, content_type=content_type)


def on_disk(name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """A reader of files as one of bytes."""

    def decode(data: bytes) -> object:
        path = folder() / name
        path.write_bytes(data)
        return read(path)

    return decode


def as_text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    """A reader of text as one of bytes: what is no UTF-8 comes as a request's line brings it, letter by letter."""

    def decode(data: bytes) -> object:
        try:
            return read(data.decode("utf-8"))
        except UnicodeDecodeError:
            return read(data.decode("latin-1"))

    return decode
