"""What can go wrong in the ledger.

LedgerError
 ├── AccountUnknown          a number that names no account
 ├── TransferInvalid         a transfer that no journal row can hold
 ├── StorageError            the database cannot be used as it is
 │    ├── DatabaseMissing    no ledger there
 │    ├── DatabaseDamaged    the file or its chain is not what was written
 │    ├── DatabaseBusy       another server holds the lease
 │    ├── DatabaseAway       it takes no writes now: the ledger goes on by itself once it does
 │    ├── NotWritten         a commit failed: its units are not in the journal, and may be sent again
 │    ├── OutcomeUnknown     a commit was cut off: only the database knows, and it is away
 │    ├── ArchiveMissing     business dates in the archive, which is not where it was put
 │    ├── ArchiveDamaged     a file of the archive that is not what was archived
 │    ├── DiskFailed         a write or a sync failed: what the disk holds is not known
 │    └── LedgerStopped      a commit failed: the writer stopped; a restart rebuilds from the journal
 │         └── LeaseLost     another server has taken the database over: this one writes nothing more
 ├── UnitFailed              a fault of this software in one piece of work; the others went on
 ├── Overloaded              more is waiting than the queue may hold
 ├── WindowClosed            a business date that takes no more entries
 ├── WindowNotBegun          a business date that lies ahead
 ├── EnrolmentRefused        a code, or a renewal, that makes no terminal
 ├── HandoutRefused          a request for keys that proves nothing
 ├── LoadRefused             a load that may not be authorised: limit, card, role
 ├── BlockRefused            a card that cannot be blocked or unblocked as asked
 ├── DisputeRefused          a report of a problem, or its answer, that cannot be taken as asked
 ├── HolderRefused           personal data that cannot be kept as given
 ├── SavingRefused           a step of a holder's saving account that cannot be taken; its `SavingReason` says why
 ├── BundleUnknown           no such signed bundle
 ├── ArchiveRefused          a business date that cannot be archived (yet)
 ├── RoleRefused             a database role that cannot be let serve
 ├── ExportRefused           an export, or taking one in, that cannot be done as asked
 ├── ExportDamaged           a file of an export that is not what was exported
 ├── CursorInvalid           a cursor that no page of a statement gave
 ├── ProofInvalid            a proof that does not prove what it says
 ├── ProofUnknown            nothing in the books that could be proven
 ├── LoadSessionGone         a step of a load that is not under way
 ├── LoadStepRefused         a step of a load that is not due: a replay, or one too many
 ├── RequestRefused          what a partner or a member of staff asked over HTTP, and may not have
 │    ├── TokenRefused       no token, or none that is known
 │    ├── ScopeMissing       a token that may not do this
 │    ├── KeyMissing         a call that moves money, without its Idempotency-Key, or with one that is none
 │    ├── KeyReused          an Idempotency-Key that stands for another request
 │    ├── KeyInUse           an Idempotency-Key whose first request is still under way
 │    ├── CursorRefused      a cursor that no page of this list gave
 │    ├── OrderInvalid       an order that names no card or party, or a sum that is none
 │    ├── HoldUnknown        no hold of this client has that number
 │    ├── HoldExceeded       a capture of more than is held
 │    └── PaymentUnknown     a refund of a payment that this party never had from that wallet
 ├── QrRefused               a QR code that cannot be paid; its `QrReason` says why
 ├── WalletRefused           what a wallet, or somebody's code or file, does not allow; nothing moved
 ├── ClientUnknown           no client has that name, or one has it already
 └── BatchRefused            a batch that is not taken in, and is kept all the same
      ├── BatchMalformed     not CBOR, not COSE, or not a batch
      ├── BatchTooLarge      over a limit
      ├── SignatureRefused   the signature is not this terminal's
      ├── TerminalUnknown    no such terminal, or a revoked one
      ├── BatchOutOfOrder    a gap in the terminal's sequence, or a broken chain of digests
      └── BatchConflict      the same sequence numbers with other bytes
"""

from __future__ import annotations

from enum import StrEnum


class LedgerError(Exception):
    """Root of this package's errors. Each says what happened and what to do."""


class AccountUnknown(LedgerError):
    """A number that names no account."""


class TransferInvalid(LedgerError):
    """A transfer that no journal row can hold."""


class StorageError(LedgerError):
    """The database cannot be used as it is."""


class DatabaseMissing(StorageError):
    """There is no ledger at that address."""


class DatabaseDamaged(StorageError):
    """The file or its chain is not what was written."""


class DatabaseBusy(StorageError):
    """Another server holds the lease on this database."""


class DatabaseAway(StorageError):
    """The database takes no writes now; nothing of this was begun. The ledger goes on by itself once it does."""


class NotWritten(StorageError):
    """A commit failed, and what it held is not in the journal: the same may be sent again."""


class OutcomeUnknown(StorageError):
    """A commit was cut off and the database is away: whether it is in the journal is known once it is back."""


class ArchiveMissing(StorageError):
    """What is asked for is in the archive, and the archive is not where it was put."""


class ArchiveDamaged(StorageError):
    """A file of the archive is not what was archived."""


class DiskFailed(StorageError):
    """A write or a sync failed: what the disk holds is not known, whatever it says from now on."""


class LedgerStopped(StorageError):
    """A commit failed, so the writer stopped; a restart rebuilds its state from the journal."""


class LeaseLost(LedgerStopped):
    """Another server has taken the database over: this one writes nothing more."""


class UnitFailed(LedgerError):
    """A fault of this software in one piece of work: nothing of it was written, and the others went on."""


class Overloaded(LedgerError):
    """More is waiting than the queue may hold; come back a little later."""


class WindowClosed(LedgerError):
    """A business date that takes no more entries."""


class WindowNotBegun(LedgerError):
    """A business date that lies ahead: it cannot be closed before it is open."""


class EnrolmentRefused(LedgerError):
    """A code, or a renewal, that makes no terminal."""


class HandoutRefused(LedgerError):
    """A request for keys that proves nothing, or is of another time."""


class LoadRefused(LedgerError):
    """A load that may not be authorised: over a limit, unknown card, or a terminal that may not load."""


class BlockRefused(LedgerError):
    """A card that cannot be blocked or unblocked as asked."""


class DisputeRefused(LedgerError):
    """A report of a problem with a tap, or its answer, that cannot be taken as asked."""


class HolderRefused(LedgerError):
    """Personal data that cannot be kept as given; `field` names what is wrong."""

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(reason)
        self.field = field


class SavingReason(StrEnum):
    """Why a step of a saving account was not taken: what the holder's page says."""

    NO_BANK = "no-bank"
    LINKED = "linked"
    NO_LINK = "no-link"
    NO_CONSENT = "no-consent"
    CODE = "code"
    AMOUNT = "amount"
    WALLET = "wallet"
    SILENT = "silent"


class SavingRefused(LedgerError):
    """A step of a holder's saving account that cannot be taken; nothing moved. `why` is what a page tells."""

    def __init__(self, reason: str, why: SavingReason = SavingReason.NO_LINK) -> None:
        super().__init__(reason)
        self.why = why


class BundleUnknown(LedgerError):
    """No signed bundle of this kind and number was issued."""


class ArchiveRefused(LedgerError):
    """A business date that cannot be archived, or not yet."""


class RoleRefused(LedgerError):
    """A database role that cannot be let serve this ledger."""


class ExportRefused(LedgerError):
    """An export, or taking one in, that cannot be done as asked."""


class ExportDamaged(LedgerError):
    """A file of an export that is not what was exported."""


class CursorInvalid(LedgerError):
    """A cursor that no page of a statement gave."""


class ProofInvalid(LedgerError):
    """A proof, or a checkpoint, that does not prove what it says."""


class ProofUnknown(LedgerError):
    """Nothing that could be proven: no such transaction or checkpoint, or its business date is not closed yet."""


class LoadSessionGone(LedgerError):
    """A step of a load that is not under way: it ended, its time was over, or the ledger was started anew."""


class LoadStepRefused(LedgerError):
    """A step of a load that is not due: a replay, or one too many."""


class RequestRefused(LedgerError):
    """What a partner or a member of staff asked over HTTP, and may not have."""


class TokenRefused(RequestRefused):
    """No token, or none that is known and in use."""


class ScopeMissing(RequestRefused):
    """A token that may not do this."""


class KeyMissing(RequestRefused):
    """A call that moves money, without its Idempotency-Key, or with one that is none."""


class KeyReused(RequestRefused):
    """An Idempotency-Key that stands for another request of this client."""


class KeyInUse(RequestRefused):
    """An Idempotency-Key whose first request is still under way."""


class CursorRefused(RequestRefused):
    """A cursor that no page of this list gave."""


class OrderInvalid(RequestRefused):
    """An order that names no card or party, or a sum that is none."""


class HoldUnknown(RequestRefused):
    """No hold of this client has that number."""


class HoldExceeded(RequestRefused):
    """A capture of more than is held."""


class PaymentUnknown(RequestRefused):
    """A refund of a payment that this party never had from that wallet."""


class QrReason(StrEnum):
    """Why a QR code is refused; docs/qris.md lists them."""

    TOO_LONG = "too_long"
    NOT_TEXT = "not_text"
    CRC_MISSING = "crc_missing"
    CRC_MISMATCH = "crc_mismatch"
    LENGTH_INVALID = "length_invalid"
    LENGTH_OVERRUN = "length_overrun"
    TAG_REPEATED = "tag_repeated"
    FORMAT_UNKNOWN = "format_unknown"
    METHOD_UNKNOWN = "method_unknown"
    ACCOUNT_MISSING = "account_missing"
    FIELD_MISSING = "field_missing"
    FIELD_INVALID = "field_invalid"
    CURRENCY_OTHER = "currency_other"
    COUNTRY_OTHER = "country_other"
    AMOUNT_INVALID = "amount_invalid"
    AMOUNT_OVER_LIMIT = "amount_over_limit"
    TIP_INVALID = "tip_invalid"


class QrRefused(LedgerError):
    """A QR code that cannot be paid. `tag` is the data object that the reason lies in, "" for the whole."""

    def __init__(self, reason: QrReason, message: str, tag: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.tag = tag


class WalletRefused(LedgerError):
    """What a wallet, or somebody's code or file, does not allow. Nothing moved."""


class ClientUnknown(LedgerError):
    """No client has that name, or one has it already."""


class BatchRefused(LedgerError):
    """A batch that is not taken in. Its bytes are kept with the reason (law 6)."""


class BatchMalformed(BatchRefused):
    """Not CBOR, not COSE_Sign1, or not a batch."""


class BatchTooLarge(BatchRefused):
    """Over the limit of bytes or records."""


class SignatureRefused(BatchRefused):
    """The signature is not this terminal's."""


class TerminalUnknown(BatchRefused):
    """No such terminal is enrolled, or its certificate was revoked or has run out."""


class BatchOutOfOrder(BatchRefused):
    """A gap in the terminal's sequence, or a digest that is not the previous batch's."""


class BatchConflict(BatchRefused):
    """The same sequence numbers with other bytes."""
