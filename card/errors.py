"""What can go wrong with a card. Every error says whether the card may have acted.

CardError
 ├── CardLost            the card left the field
 ├── StatusError         the card answered with an error status, and did nothing
 ├── SessionBroken       the answer's MAC is not the card's: treat as unknown
 ├── CardForeign         no KSH application here, or another city's keys
 ├── CardRefused         a KSH card that may not do this: expired, blocked, short of value
 │    └── CardLocked     it was to be locked, and is
 ├── TapRefused          an address that no card of this city made
 ├── ReaderError         the reader, not the card; no card was asked anything
 │    ├── ReaderServiceDown   no PC/SC service answers
 │    ├── ReaderMissing  no reader, or none of that name
 │    ├── ReaderBusy     another program has the card
 │    └── CardAbsent     no card came in time
 └── EvidenceError       a Transaction MAC Input that does not parse or does not add up
      └── BatchInvalid   bytes that are no batch of records
"""

from __future__ import annotations

from enum import StrEnum

from card.apdu import Status


class Acted(StrEnum):
    """Whether the card may have acted on the last command."""

    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"
    REFUSED = "refused"


class CardError(Exception):
    """Root of this package's errors."""

    acted = Acted.REFUSED


class CardLost(CardError):
    """The card left the field."""

    def __init__(self, acted: Acted) -> None:
        super().__init__("the card left the field; hold the same card to the reader again")
        self.acted = acted


class StatusError(CardError):
    """The card answered with an error status; it did nothing, and its session has ended."""

    def __init__(self, status: int) -> None:
        name = Status(status).name if status in set(Status) else "UNKNOWN"
        super().__init__(f"the card refused: {name} (91{status:02X})")
        self.status = status


class SessionBroken(CardError):
    """The answer's MAC is not the card's: something between card and terminal changed it."""

    acted = Acted.UNKNOWN


class CardForeign(CardError):
    """No application of this city is on the card, or its keys are not this city's."""


class CardRefused(CardError):
    """A card of this city that may not do this; `reason` says why in a word that screens have a text for."""

    def __init__(self, message: str, reason: str = "refused") -> None:
        super().__init__(message)
        self.reason = reason


class CardLocked(CardRefused):
    """A card that was to be locked, and is locked already."""


class ReaderError(CardError):
    """The reader or what stands between: no card was asked anything."""

    acted = Acted.NOT_SENT


class ReaderServiceDown(ReaderError):
    """No PC/SC service answers; says how to start or install it."""


class ReaderMissing(ReaderError):
    """No reader is connected, or none of the name asked for."""


class ReaderBusy(ReaderError):
    """Another program has the card and did not give it up in time."""


class CardAbsent(ReaderError):
    """No card came in the time that was given."""


class TapRefused(CardError):
    """An address of a phone tap that no card of this city made."""


class EvidenceError(CardError):
    """A Transaction MAC Input that does not parse, or does not add up."""


class BatchInvalid(EvidenceError):
    """Bytes that are no batch of records; names the field."""
