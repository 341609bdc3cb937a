"""What can go wrong in settlement and reconciliation.

SettlementError
 ├── ParticipantError          a party that is not as it must be
 │    ├── ParticipantUnknown   a number that no bank, operator, merchant or agent has
 │    └── ParticipantInvalid   a participant that no payment could be made to
 ├── FeeUnknown                the dated table has no rate for this class on this day
 ├── FeeTableInvalid           a fee table that no fee can be taken from
 ├── PositionUnclear           a journal row that no bank can be asked to pay
 ├── SumTooLarge               a window whose sums the books cannot hold
 ├── PaymentsTooMany           more payments in one window and bank than references can number
 ├── CalendarEnds              a day that the bank calendar does not reach
 ├── HoursUnknown              no row tells when a rail is open on this day
 ├── RailMissing               no rail takes an amount on a day
 ├── ReleaseRefused            a payment file that may not be made or released so
 ├── ReportRefused             a bank's status report that cannot be used; kept whole, with line and reason
 ├── SchemaBroken              a file in the folder of schemas that is none
 ├── RuleRefused               a page of the rulebook that is not as it must be
 ├── EarlierWindowOpen         an earlier business date has movements that were never settled
 ├── SettlementRefused         the ledger did not post the entries of a window; nothing moved
 ├── OutputDiffers             a payment file on disk is not the one that was kept
 ├── StaffError                who works at the console, and how they get in
 │    ├── StaffRefused         an account, a name or roles that cannot be
 │    ├── PasswordWeak         a password that is too short or too easily guessed
 │    ├── SignInRefused        name, password or code is wrong, or tried too often; never says which
 │    ├── StaffKeyWrong        the key file of the authenticators is another one
 │    └── StaffLogBroken       an entry of the staff's log is not the one that was written
 ├── PersonInvalid             a name that nobody can answer for
 ├── RulesInvalid              rules of matching that cannot be used
 ├── MatchRefused              a match that cannot be made, undone or decided as asked; nothing changed
 │    └── MatchUnknown         no match or suggestion has this number
 ├── BreakRefused              a step of a break that cannot be taken; nothing changed
 │    ├── BreakUnknown         no break has this id, no proposal or dispute this number
 │    ├── MakerIsChecker       nobody decides what they proposed
 │    └── FileRefused          a file that is empty, too large, or one too many
 ├── FileUnsafe                a file that a scanner of malicious content calls bad; nothing of it was kept
 ├── ScannerAway               the scanner that this city asks for does not answer: no file is taken until it does
 ├── BankError                 host to host: what a bank, or the way to it, does
 │    ├── BankUnreachable      nothing reached the bank: the same may be asked again
 │    │    └── CircuitOpen     it failed too often just now: it is left alone for a while
 │    ├── BankSilent           the call went out, and no answer came: what became of it is not known
 │    ├── BankAnswerInvalid    an answer that is none of the standard's: what became of the call is not known
 │    ├── BankRefused          an answer that says no; carries its response code
 │    └── DialectUnknown       no such way of speaking to a bank, or a service that it lacks
 ├── PaymentInvalid            a payment to a bank that may not be planned
 ├── PaymentUnknown            no payment to a bank has this reference
 └── StatementRefused          a bank's file that cannot be used; kept whole, with line and reason
      ├── StatementTooLarge    over the limit of bytes or lines
      ├── StatementDuplicate   the same file or the same statement came before
      └── StatementGap         its opening balance is not the closing balance of the one before
"""

from __future__ import annotations


class SettlementError(Exception):
    """Root of this package's errors. Each says what happened and what to do."""


class ParticipantError(SettlementError):
    """A party that is not as it must be."""


class ParticipantUnknown(ParticipantError):
    """A number that no bank, operator, merchant or agent has."""


class ParticipantInvalid(ParticipantError):
    """A participant that no payment could be made to."""


class FeeUnknown(SettlementError):
    """The dated table has no rate for this class on this day."""


class FeeTableInvalid(SettlementError):
    """A fee table that no fee can be taken from; says which line, or which rate."""


class SumTooLarge(SettlementError):
    """A window whose sums 63 bits cannot hold, or with more entries than one block of the journal takes."""


class PositionUnclear(SettlementError):
    """A journal row that no bank can be asked to pay; carries its journal position."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


class PaymentsTooMany(SettlementError):
    """More payments in one window and bank than references can number."""


class CalendarEnds(SettlementError):
    """A day that the bank calendar does not reach."""


class HoursUnknown(SettlementError):
    """No row tells when a rail is open on this day."""


class RailMissing(SettlementError):
    """No rail takes an amount on a day, or no row tells its fee."""


class ReleaseRefused(SettlementError):
    """A payment file that may not be made or released so: four eyes, once, and whole."""


class ReportRefused(SettlementError):
    """A bank's status report (pain.002) that cannot be used. `line` counts from 1; 0 where the whole is meant."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {reason}" if line else reason)
        self.reason = reason
        self.line = line


class SchemaBroken(SettlementError):
    """A file in the folder of schemas that is none."""


class RuleRefused(SettlementError):
    """A page of the rulebook that is not as it must be: a mapping, a template, a decision about a day."""


class EarlierWindowOpen(SettlementError):
    """An earlier business date has movements that were never settled: its night comes first."""


class SettlementRefused(SettlementError):
    """The ledger did not post the entries of a window. Nothing moved: they stand or fall together."""


class OutputDiffers(SettlementError):
    """A payment file on disk is not the one that was kept: somebody changed it, and no bank may get it."""


class StaffError(SettlementError):
    """Who works at the console, and how they get in."""


class StaffRefused(StaffError):
    """An account, a name or roles that cannot be."""


class PasswordWeak(StaffError):
    """A password that is too short or too easily guessed; says why."""


class SignInRefused(StaffError):
    """Name, password or code is wrong, or there were too many tries. It never says which."""


class StaffKeyWrong(StaffError):
    """The key file of the authenticators is another one, or none."""


class StaffLogBroken(StaffError):
    """An entry of the staff's log is not the one that was written, or one is gone."""


class PersonInvalid(SettlementError):
    """A name that nobody can answer for."""


class RulesInvalid(SettlementError):
    """Rules of matching that cannot be used: nothing was put in force."""


class MatchRefused(SettlementError):
    """A match that cannot be made, undone or decided as asked; nothing changed."""


class MatchUnknown(MatchRefused):
    """No match or suggestion has this number."""


class BreakRefused(SettlementError):
    """A step of a break that cannot be taken; nothing changed."""


class BreakUnknown(BreakRefused):
    """No break has this id, or no proposal or dispute this number."""


class MakerIsChecker(BreakRefused):
    """Nobody decides what they proposed: somebody else must."""


class FileRefused(BreakRefused):
    """A file that is empty, too large, or one too many for its break."""


class FileUnsafe(SettlementError):
    """A file that a scanner of malicious content calls bad. Nothing of it was kept."""


class ScannerAway(SettlementError):
    """The scanner that this city asks for does not answer, or not with a verdict: no file is taken until it does."""


class BankError(SettlementError):
    """Host to host: what a bank, or the way to it, does."""


class BankUnreachable(BankError):
    """Nothing reached the bank: the same may be asked again."""


class CircuitOpen(BankUnreachable):
    """The bank failed too often just now: it is left alone for a while."""


class BankSilent(BankError):
    """The call went out, and no answer came. What became of it is not known: ask for the status, never simply again."""


class BankAnswerInvalid(BankError):
    """An answer that is none of the standard's. What became of the call is not known."""


class BankRefused(BankError):
    """An answer that says no. `code` is the response code, "" where the answer had none."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class DialectUnknown(BankError):
    """No such way of speaking to a bank, or a service that it lacks."""


class PaymentInvalid(SettlementError):
    """A payment to a bank that may not be planned: a sum, an account or a text that no bank takes, or a reference used before."""


class PaymentUnknown(SettlementError):
    """No payment to a bank has this reference."""


class StatementRefused(SettlementError):
    """A bank's file that cannot be used. `line` counts from 1; 0 where the whole file is meant."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {reason}" if line else reason)
        self.reason = reason
        self.line = line


class StatementTooLarge(StatementRefused):
    """Over the limit of bytes or lines."""


class StatementDuplicate(StatementRefused):
    """The same file, or the same statement in other bytes, came before."""


class StatementGap(StatementRefused):
    """The opening balance is not the closing balance of the statement before: one is missing."""
