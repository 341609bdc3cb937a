"""Look at a record before it is posted: is it what the card signed, and may this terminal post it? Pure but for the vault."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from card import evidence
from card.batch import MalformedRecord, RecordStatus, TapRecord
from card.errors import EvidenceError
from keys.errors import KeyMissing, KeyRetired
from keys.vault import Role
from ledger.intake.bounds import Doubt, outside_area, outside_rights
from ledger.intake.reasons import Reason
from ledger.intake.receipt import LABEL

if TYPE_CHECKING:
    from card.evidence import CardTransaction
    from keys.identity import TerminalCertificate
    from keys.vault import CardKey, Vault
    from ledger.intake.cards.issued import Card
    from ledger.intake.registry import Registry


@dataclass(frozen=True, slots=True)
class Assessed:
    """A record with what its evidence says; `reason` is why it cannot be posted as it is, `doubts` what is asked once it is."""

    record: TapRecord | MalformedRecord
    raw: bytes
    card: Card | None = None
    transaction: CardTransaction | None = None
    reason: Reason | None = None
    detail: str = ""
    doubts: tuple[Doubt, ...] = ()

    @property
    def uid(self) -> int:
        """The card's UID as an integer; 0 where the record names none."""
        return int.from_bytes(self.record.uid, "big") if isinstance(self.record, TapRecord) else 0


def identity_of(tmi: bytes, tmv: bytes) -> bytes:
    """The digest that tells two transactions at one counter apart."""
    return hashlib.sha256(tmi + tmv).digest()


class Assessor:
    """Assesses records; safe to use from several threads."""

    def __init__(self, registry: Registry, vault: Vault) -> None:
        self._registry = registry
        self._vault = vault

    @property
    def ledger_key(self) -> bytes:
        """The public key under which the ledger signs the records of loads that it ran itself."""
        return self._vault.public_key(LABEL)

    def tmac_key(self, card: Card) -> CardKey:
        """The card's Transaction MAC key, in use; raises KeyMissing."""
        return self._vault.card_key(Role.TRANSACTION_MAC, card.key_version, card.uid.to_bytes(7, "big"))

    def assess(
        self, record: TapRecord | MalformedRecord, raw: bytes, certificate: TerminalCertificate
    ) -> Assessed:
        """A record with its evidence, or with the reason why it stays in quarantine."""
        if isinstance(record, MalformedRecord):
            return Assessed(record, raw, reason=Reason.MALFORMED, detail=record.reason)
        card = self._registry.card(int.from_bytes(record.uid, "big"))
        if card is None:
            return Assessed(
                record, raw, reason=Reason.CARD_UNKNOWN, detail="no card with this UID was issued here"
            )
        if record.status is RecordStatus.WITNESS:
            return Assessed(record, raw, card)
        try:
            return self._with_evidence(record, raw, card, certificate)
        except EvidenceError as error:
            return Assessed(record, raw, card, reason=Reason.EVIDENCE_MISMATCH, detail=str(error))
        except (KeyMissing, KeyRetired) as error:
            return Assessed(record, raw, card, reason=Reason.TMV_WRONG, detail=str(error))

    def _with_evidence(
        self, record: TapRecord, raw: bytes, card: Card, certificate: TerminalCertificate
    ) -> Assessed:
        if record.status is RecordStatus.CONFIRMED and not self.signed(
            card, record.tmc, record.tmi, record.tmv
        ):
            return Assessed(
                record, raw, card, reason=Reason.TMV_WRONG, detail="the chip did not sign these bytes"
            )
        transaction = evidence.parse(record.tmi)
        differs = claims_differ(record, transaction, card, certificate)
        if differs:
            return Assessed(record, raw, card, transaction, Reason.EVIDENCE_MISMATCH, differs)
        missing, outside = outside_rights(transaction, certificate), outside_area(transaction, certificate)
        if missing and transaction.record.kind.credits_card:
            return Assessed(record, raw, card, transaction, Reason.ROLE_FORBIDDEN, missing.detail)
        doubts = tuple(doubt for doubt in (missing, outside) if doubt is not None)
        if record.status is RecordStatus.UNCONFIRMED:
            detail = "the terminal did not learn whether the card committed"
            return Assessed(record, raw, card, transaction, Reason.UNCONFIRMED, detail, doubts)
        return Assessed(record, raw, card, transaction, doubts=doubts)

    def signed(self, card: Card, tmc: int, tmi: bytes, tmv: bytes) -> bool:
        """True where the card's chip signed these bytes at this counter."""
        return evidence.verify(self.tmac_key(card), card.uid.to_bytes(7, "big"), tmc, tmi, tmv)

    def tmv_of(self, card: Card, tmc: int, tmi: bytes) -> bytes:
        """What the card's chip would have given for these bytes."""
        return evidence.tmv_of(self.tmac_key(card), card.uid.to_bytes(7, "big"), tmc, tmi)


def claims_differ(
    record: TapRecord, transaction: CardTransaction, card: Card, certificate: TerminalCertificate
) -> str:
    """Where the terminal's word is not what the chip signed; "" where they agree (law 2)."""
    signed = transaction.record
    claims = (
        ("amount", record.amount, transaction.amount),
        ("kind", record.kind, signed.kind),
        ("card number", card.card_number, transaction.identity.card_number),
        ("terminal", certificate.terminal, signed.terminal),
        ("sequence", record.sequence, signed.sequence),
        ("time", record.occurred_at // 1000, signed.at),
    )
    for name, claimed, found in claims:
        if claimed != found:
            return f"{name}: {claimed} is claimed, {found} was signed by the card"
    return ""
