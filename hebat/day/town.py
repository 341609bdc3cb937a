"""Who takes part in a day of the Transjakarta teaching set: six issuers as banks, one operator, one load agent.

The file's issuer names are the card brands; bank codes and BICs are the banks' own, "online" has no bank behind it in the data and gets a
code of its own. Accounts are invented.
"""

from __future__ import annotations

from typing import Final

from hebat.fleet import Post
from hebat.wiring import Configuration
from keys.identity import TerminalRole
from keys.money import Rupiah
from ledger.intake.posting import CITY
from settlement.participants import Agent, Bank, City, Operator, Participants

ISSUERS: Final = {"emoney": 8, "dki": 111, "brizzi": 2, "flazz": 14, "online": 900, "bni": 9}
"""The issuer code of each `payCardBank` of the file."""
OPERATOR: Final = 21
AGENT: Final = 721
GATES: Final = 16
_DKI: Final = 111

PARTICIPANTS: Final = Participants(
    banks=[
        Bank(2, "Bank Rakyat Indonesia", "BRINIDJA", "0020011000001"),
        Bank(8, "Bank Mandiri", "BMRIIDJA", "0080011000002"),
        Bank(9, "Bank Negara Indonesia", "BNINIDJA", "0090011000003"),
        Bank(14, "Bank Central Asia", "CENAIDJA", "0140011000004"),
        Bank(_DKI, "Bank DKI", "BDKIIDJ1", "1110011000005"),
        Bank(900, "Uang elektronik online", "BMRIIDJA", "9000011000006"),
    ],
    operators=[Operator(OPERATOR, "Transjakarta", _DKI, "5010000021")],
    merchants=[],
    agents=[Agent(AGENT, "Loket halte", _DKI, "5030000721")],
    city=City(CITY, "Pemerintah Provinsi DKI Jakarta", _DKI, "5040000001"),
)

CONFIGURATION: Final = Configuration(PARTICIPANTS, ())
"""The tariff comes from the feed, and goes to the terminals by bundle, where the ledger finds it too."""


def gates() -> list[Post]:
    """The validators that all stops share."""
    return [Post(gate_number(gate), TerminalRole.VALIDATOR, OPERATOR) for gate in range(GATES)]


def gate_number(gate: int) -> int:
    """The terminal's number of a validator."""
    return 4001 + gate


def kiosk() -> Post:
    """The load kiosk."""
    return Post(4901, TerminalRole.KIOSK, AGENT, Rupiah(10_000_000_000))
