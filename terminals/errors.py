"""What can go wrong on a terminal.

TerminalError
 ├── OutboxError          the outbox cannot be used
 │    ├── OutboxBusy      another process has it open
 │    └── OutboxFull      no room for another record: upload first
 ├── Offline              the ledger cannot be reached; records stay in the outbox
 ├── UploadRefused        the ledger answered, and does not take the batch
 ├── ReceiptWrong         an answer that does not prove what it says; records stay
 ├── EnrolmentDenied      the ledger gives no certificate
 ├── CertificateEnded     too late to renew: enrol anew
 ├── LoadDenied           the ledger does not authorise a load
 ├── InputWrong           what a person entered is no amount, no name
 ├── NotSold              a button that this role does not have
 ├── ShiftRefused         no shift is open, or its data are wrong
 │    └── ShiftOpen       one is open already
 ├── WordsMissing         no catalogue of that language
 ├── PlacesMissing        no such corridor in the shipped data
 ├── TariffWrong          parts of a tariff that do not fit together, or bytes that are none
 ├── FeedWrong            a GTFS feed that cannot be used: file, row and column
 └── BundleRefused        a bundle that is not taken; what was in force stays so
      ├── BundleMalformed  not a bundle, or not one that this software can read
      ├── BundleTooLarge   over its kind's limit
      ├── BundleForged     not signed by the city's bundle key
      ├── BundleForeign    another city's, or for terminals of another class
      ├── BundleOld        an older or the same number
      └── BundleGap        a delta that does not follow what is here: the full one is needed
"""

from typing import Final

from keys.quoting import cut

REASON_MAX: Final = 400
"""Characters of what is wrong with a feed or a tariff, names of its own among them."""


class TerminalError(Exception):
    """Root of this package's errors. Each says what happened and what to do.

    `word` is the key of the sentence that a screen says instead, in its language, with `values` in its braces.
    """

    def __init__(self, sentence: str = "", *, word: str = "not-now", **values: object) -> None:
        super().__init__(sentence)
        self.word = word
        self.values = {name: str(value) for name, value in values.items()}


class OutboxError(TerminalError):
    """The outbox cannot be used."""


class OutboxBusy(OutboxError):
    """Another process has the outbox open."""


class OutboxFull(OutboxError):
    """No room for another record."""


class Offline(TerminalError):
    """The ledger cannot be reached; records stay in the outbox."""


class UploadRefused(TerminalError):
    """The ledger answered, and does not take the batch."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"the ledger refused ({status}): {detail}")
        self.status = status
        self.detail = detail


class ReceiptWrong(TerminalError):
    """An answer that does not prove what it says; the records stay."""


class EnrolmentDenied(TerminalError):
    """The ledger gives no certificate, or one that proves nothing."""


class CertificateEnded(TerminalError):
    """The certificate has ended, so that its key can renew it no more: enrol with a new code; records stay."""


class LoadDenied(TerminalError):
    """The ledger does not authorise a load."""


class InputWrong(TerminalError):
    """What a person entered cannot be meant."""


class NotSold(TerminalError):
    """A button that this role of a terminal does not have."""


class ShiftRefused(TerminalError):
    """No shift is open, or what was entered for one is wrong."""


class ShiftOpen(ShiftRefused):
    """A shift is open already."""


class WordsMissing(TerminalError):
    """No catalogue of that language in the shipped data."""


class PlacesMissing(TerminalError):
    """No such corridor in the shipped data."""


class TariffWrong(TerminalError):
    """Parts of a tariff that do not fit together, or bytes that are no tariff; names the part."""

    def __init__(self, part: str, reason: str) -> None:
        super().__init__(f"{part}: {cut(reason, REASON_MAX)}")
        self.part = part
        self.reason = reason


class FeedWrong(TerminalError):
    """A GTFS feed that cannot be used; names file, row (the header is row 1; 0 for the whole file) and column."""

    def __init__(self, file: str, row: int, column: str, reason: str) -> None:
        place = ", ".join(
            filter(None, (file, f"row {row}" if row else "", f"column {cut(column)}" if column else ""))
        )
        super().__init__(f"{place}: {cut(reason, REASON_MAX)}")
        self.file = file
        self.row = row
        self.column = column
        self.reason = reason


class BundleRefused(TerminalError):
    """A bundle that is not taken; what was in force stays so."""


class BundleMalformed(BundleRefused):
    """Not a bundle, or not one that this software can read."""


class BundleTooLarge(BundleRefused):
    """Over its kind's limit."""


class BundleForged(BundleRefused):
    """Not signed by the city's bundle key."""


class BundleForeign(BundleRefused):
    """Another city's, or for terminals of another class."""


class BundleOld(BundleRefused):
    """An older number, or the same again."""


class BundleGap(BundleRefused):
    """A delta that does not follow what is here: the full one is needed."""
