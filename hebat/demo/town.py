"""The demo's town: banks, an operator for each half of the corridors, merchants, a load agent, the city.

Bank codes and BICs are the banks' own (ISO 9362 directory; QRIS's national codes); accounts are invented.
"""

from __future__ import annotations

from typing import Final

from hebat.demo.plan import BANK_JATENG, BNI, BUSES, CORRIDORS, MANDIRI, MERCHANTS
from hebat.fleet import Post
from hebat.wiring import Configuration
from keys.money import Rupiah
from keys.rights import TerminalRole
from ledger.intake.posting import CITY
from settlement.participants import Agent, Bank, City, Merchant, MerchantClass, Operator, Participants
from terminals.fares import TRANS_SEMARANG_2022
from terminals.places import corridors

OPERATORS: Final = (11, 12)
_FIRST_MERCHANT: Final = 501
AGENT: Final = 701
_BUSY: Final = Rupiah(10_000_000_000)
"""A service day's limit where one kiosk loads, and three tills serve, a whole town of up to 20,000 cards."""

PARTICIPANTS: Final = Participants(
    banks=[
        Bank(BNI, "Bank Negara Indonesia", "BNINIDJA", "0090011223344"),
        Bank(BANK_JATENG, "Bank Jateng", "PDJGIDJ1", "1130055667788"),
        Bank(MANDIRI, "Bank Mandiri", "BMRIIDJA", "0080099001122"),
    ],
    operators=[
        Operator(OPERATORS[0], "Operator koridor 1-4", BANK_JATENG, "2010000011"),
        Operator(OPERATORS[1], "Operator koridor 5-8", BNI, "3010000012"),
    ],
    merchants=[
        Merchant(_FIRST_MERCHANT, "Pasar Johar kios 12", BANK_JATENG, "2020000501", MerchantClass.UMI),
        Merchant(_FIRST_MERCHANT + 1, "Toko Pandanaran", BNI, "3020000502", MerchantClass.UKE),
        Merchant(_FIRST_MERCHANT + 2, "Kantin Balai Kota", MANDIRI, "4020000503", MerchantClass.UME),
    ],
    agents=[Agent(AGENT, "Loket Simpang Lima", BANK_JATENG, "2030000701")],
    city=City(CITY, "Pemerintah Kota Semarang", BANK_JATENG, "2040000001"),
)

CONFIGURATION: Final = Configuration(PARTICIPANTS, (TRANS_SEMARANG_2022,))


def buses(*, loads: bool = False) -> list[Post]:
    """Eight validators, one a corridor; with `loads` they write what holders order from their wallets."""
    routes = [corridor.number for corridor in corridors() if corridor.name in CORRIDORS]
    return [
        Post(
            1001 + bus,
            TerminalRole.VALIDATOR,
            OPERATORS[bus * len(OPERATORS) // BUSES],
            routes=(route,),
            loads=loads,
        )
        for bus, route in enumerate(routes)
    ]


def tills() -> list[Post]:
    """Three merchants' tills."""
    return [
        Post(2001 + shop, TerminalRole.MERCHANT, _FIRST_MERCHANT + shop, _BUSY) for shop in range(MERCHANTS)
    ]


def kiosk() -> Post:
    """The load kiosk."""
    return Post(3001, TerminalRole.KIOSK, AGENT, _BUSY)
