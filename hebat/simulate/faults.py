"""What can go wrong in a simulated city, by kind; a seed says when and to whom."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """A kind of fault. Each must have struck over the fixed seeds, or the simulator is not looking at what it says it looks at."""

    CARD_TORN_BEFORE = "card torn before it acted"
    CARD_TORN_AFTER = "card torn after it acted, its answer lost"
    TERMINAL_KILLED = "terminal killed"
    TERMINAL_KILLED_IN_TAP = "terminal killed in the middle of a tap"
    TERMINAL_POWER_CUT = "terminal's power cut in the middle of a write"
    SERVER_KILLED = "server killed"
    SERVER_KILLED_IN_COMMIT = "server killed in the middle of a commit"
    SERVER_POWER_CUT = "server's power cut in the middle of a commit"
    REQUEST_LOST = "request lost"
    ANSWER_LOST = "answer lost"
    REQUEST_DOUBLED = "request delivered twice"
    REQUEST_LATE = "request delivered late, behind later ones"
    PARTITION = "terminal cut off from the ledger"
    DISK_WRITE_FAILED = "disk: write failed"
    DISK_SYNC_FAILED = "disk: sync failed"
    DISK_FULL = "disk: full"
    DISK_SLOW = "disk: a sync took a minute"
    OUTBOX_WRITE_FAILED = "terminal's disk: write failed"
    WRITE_LOST = "disk: unsynced write lost"
    WRITE_TORN = "disk: unsynced write torn"
    CLOCK_DRIFT = "terminal's clock wrong"
    AMOUNT_FALSIFIED = "rogue terminal: another amount than the chip signed"
    EVIDENCE_FORGED = "rogue terminal: evidence forged"
    NUMBERS_LEFT_OUT = "rogue terminal: numbers left out"
    TERMINAL_REVOKED = "terminal revoked"
