"""The flows of a city card: open, stage, commit; and what to read when a commit's answer was lost.

Every exchange costs air time. A debit takes twelve: select, TMAC file, two for authentication, identity, journey, value, debit, record, journey,
reader id, commit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from card import client, tmac
from card.apdu import Ins, Status
from card.channel import CommMode
from card.errors import CardForeign, CardRefused, SessionBroken, StatusError
from card.layout import AID, File, Identity, Journey, LogRecord, ReaderId, TapKind
from keys.money import Rupiah

if TYPE_CHECKING:
    from card.transport import Transport
    from keys.clock import UnixMs
    from keys.vault import Role, Vault

_TMAC_CONTENT_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class Seen:
    """What a card's TMAC file held: counter and value of its last commit. The value is b"" where there was none."""

    tmc: int
    tmv: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """What a terminal wants of a card; the direction of `amount` follows from `kind`; journey None is left as it is."""

    kind: TapKind
    amount: Rupiah
    journey: Journey | None
    terminal: int
    sequence: int
    at: UnixMs
    reference: int = 0

    @property
    def seconds(self) -> int:
        """The time as the card keeps it."""
        return self.at // 1000

    @property
    def signed_amount(self) -> Rupiah:
        """The amount as the evidence has it: negative where the card pays."""
        return self.amount if self.kind.credits_card else Rupiah(-self.amount)


@dataclass(frozen=True, slots=True)
class Intent:
    """Everything that the chip will sign, known before the commit is sent; `tmc` is the counter that it will have."""

    uid: bytes
    tmc: int
    tmi: bytes
    balance_before: Rupiah
    change: Change
    seen: Seen


@dataclass(frozen=True, slots=True)
class Evidence:
    """A transaction with the chip's signature."""

    uid: bytes
    tmc: int
    tmi: bytes
    tmv: bytes


class OpenCard:
    """A card, authenticated and read; at most one change is staged and committed."""

    def __init__(self, uid: bytes, session: client.Session, seen: Seen) -> None:
        self.uid = uid
        self.seen = seen
        self._session = session
        identity = session.read(File.IDENTITY, CommMode.MAC)
        journey = session.read(File.JOURNEY, CommMode.MAC)
        value = session.value(File.PURSE)
        self.identity = Identity.decode(identity)
        found = Journey.decode(journey)
        self.locked = found.locked
        """True where a terminal locked the card; `journey` is what the rules remember, and writing it lets the card go."""
        self.journey = replace(found, locked=False)
        self.balance = Rupiah(value)
        self._tmi = bytearray(
            tmac.data_entry(Ins.READ_DATA, File.IDENTITY, 0, identity)
            + tmac.data_entry(Ins.READ_DATA, File.JOURNEY, 0, journey)
            + tmac.value_entry(Ins.GET_VALUE, File.PURSE, value)
        )
        self._staged: Intent | None = None

    def locked_journey(self) -> Journey:
        """The journey file of this card once it is locked: what the rules remember stays."""
        return replace(self.journey, locked=True)

    def stage(self, change: Change) -> Intent:
        """Send everything but the commit; nothing has happened yet.

        Raises CardRefused where the purse is short or its limit would be passed, CardLost, StatusError, SessionBroken.
        """
        after = Rupiah(self.balance + change.signed_amount)
        if after < 0:
            raise CardRefused(
                f"the purse holds {self.balance} rupiah and {change.amount} are due: load the card",
                reason="short",
            )
        if change.kind.credits_card and after > self.identity.purse_limit:
            raise CardRefused(
                f"the purse may hold {self.identity.purse_limit} rupiah at most: load less",
                reason="purse-full",
            )
        self._move_value(change)
        self._write_record(change, after)
        journey = change.journey or (self.journey if self.locked else None)  # any transaction ends a lock
        if journey is not None:
            self._write_journey(journey)
        self._name_reader(ReaderId(change.terminal, change.sequence, change.seconds))
        self._staged = Intent(self.uid, self.seen.tmc + 1, bytes(self._tmi), self.balance, change, self.seen)
        return self._staged

    def _move_value(self, change: Change) -> None:
        if not change.amount:
            return
        if change.kind.credits_card:
            self._session.credit(File.PURSE, change.amount)
        else:
            self._session.debit(File.PURSE, change.amount)
        ins = Ins.CREDIT if change.kind.credits_card else Ins.DEBIT
        self._tmi += tmac.value_entry(ins, File.PURSE, change.amount)

    def _write_record(self, change: Change, after: Rupiah) -> None:
        record = LogRecord(
            change.kind,
            change.amount,
            after,
            change.seconds,
            change.terminal,
            change.sequence,
            change.reference,
        ).encode()
        self._session.write_record(File.LOG, record, CommMode.MAC)
        self._tmi += tmac.data_entry(Ins.WRITE_RECORD, File.LOG, 0, record)

    def _write_journey(self, journey: Journey) -> None:
        data = journey.encode()
        self._session.write(File.JOURNEY, data, CommMode.MAC)
        self._tmi += tmac.data_entry(Ins.WRITE_DATA, File.JOURNEY, 0, data)

    def _name_reader(self, reader: ReaderId) -> None:
        named = reader.encode()
        previous = self._session.commit_reader_id(named)
        self._tmi += tmac.reader_entry(named, previous)

    def commit(self) -> Evidence:
        """Send the commit; the chip's answer is the evidence.

        Raises CardLost or SessionBroken with `acted` UNKNOWN where the answer was lost: the same card tells, see `seen_now`.
        """
        staged = self._staged
        if staged is None:
            raise CardRefused("nothing is staged: stage a change before the commit")
        tmc, tmv = self._session.commit()
        if tmc != staged.tmc:
            raise SessionBroken("the card counted another transaction: tap again")
        return Evidence(self.uid, tmc, staged.tmi, tmv)

    def abort(self) -> None:
        """Give the staged change up."""
        self._staged = None
        self._session.abort()


def open_card(transport: Transport, vault: Vault, role: Role) -> OpenCard:
    """Select, look at the TMAC file, authenticate with the role's key (newest version first), read.

    Raises CardForeign, CardLost, EvidenceError (a layout that this software does not know), SessionBroken.
    """
    seen = seen_now(transport)
    return OpenCard(transport.uid, authenticated(transport, vault, role), seen)


def authenticated(transport: Transport, vault: Vault, role: Role) -> client.Session:
    """A session under a role's key, the newest version that the card knows. Raises CardForeign, CardLost, StatusError."""
    for version in vault.versions(role):
        key = vault.card_key(role, version, transport.uid)
        try:
            return client.authenticate(transport, role.key_no, key)
        except StatusError as error:
            if error.status != Status.AUTHENTICATION_ERROR:
                raise
            client.select(transport, AID)
    raise CardForeign("the card does not know this city's keys: not one of ours")


def seen_now(transport: Transport) -> Seen:
    """Select the application and read the TMAC file, which needs no key.

    Raises CardForeign where the card has no application of this city, CardLost.
    """
    select_city(transport)
    try:
        content = client.read_free(transport, File.TMAC)
    except StatusError as error:
        raise CardForeign("this card was never finished: take it to the counter") from error
    if len(content) != _TMAC_CONTENT_BYTES:
        raise SessionBroken("the card's transaction counter has a wrong length; tap again")
    tmc = int.from_bytes(content[:4], "little")
    return Seen(tmc, content[4:] if tmc else b"")


def select_city(transport: Transport) -> None:
    """Select this city's application; raises CardForeign where the card has none, CardLost."""
    try:
        client.select(transport, AID)
    except StatusError as error:
        raise CardForeign("this card is not a Kartu Semarang Hebat") from error
