"""The NDEF application: what a phone reads when it is held to the card, and where the chip puts its proof into the address.

Source: NFC Forum, Type 4 Tag (mapping version 2.0, sections 5 and 7) and URI Record Type Definition; NXP AN12196, section 5.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from card import sdm
from card.apdu import IsoIns
from card.applications import ApplicationSettings
from card.channel import CommMode
from card.commands import FREE, FileSettings, FileType, Rights
from card.errors import CardForeign, SessionBroken, TapRefused
from card.sdm import MAC_HEX, PICC_HEX, Sdm
from keys.vault import Role

if TYPE_CHECKING:
    from card.transport import Transport
    from keys.vault import CardKey, Vault

AID: Final = bytes.fromhex("000001")
DF_NAME: Final = bytes.fromhex("d2760000850101")
EVERY_CARD: Final = bytes(7)
"""Stands for the UID where a key must be one for the whole city: nobody knows whose tap it is before the UID is deciphered."""
META_KEY, FILE_KEY, KEYS = 1, 2, 3
"""Key numbers of the NDEF application, and how many it has."""
CAPABILITIES_FILE, MESSAGE_FILE = 0x01, 0x02
MESSAGE_BYTES: Final = 256
_DF_ID, _CAPABILITIES_ID, _MESSAGE_ID = 0xE110, 0xE103, 0xE104
_READ_MAX, _WRITE_MAX = 58, 52
_HTTPS: Final = "https://"
_URI_HTTPS: Final = 0x04
_HEADER: Final = 7
"""NLEN, and the header of one short record of type U: D1, type length, payload length, U, prefix."""
_PICC, _MAC = "e", "m"
_ADDRESS_MAX: Final = 180
_CAPABILITIES_BYTES: Final = 15
_ISO_OK: Final = b"\x90\x00"

APPLICATION: Final = ApplicationSettings(AID, KEYS, iso_id=_DF_ID, df_name=DF_NAME)
CAPABILITIES: Final = FileSettings(
    FileType.STANDARD, CommMode.PLAIN, (Rights(read=FREE, change=0, write=0),), size=_CAPABILITIES_BYTES,
    iso_id=_CAPABILITIES_ID,
)  # fmt: skip


class Message(NamedTuple):
    """What is written into the message file, and the file's settings with the mirror's places."""

    content: bytes
    settings: FileSettings


def capabilities() -> bytes:
    """The capability container: read everything, write nothing."""
    head = (
        _CAPABILITIES_BYTES.to_bytes(2, "big")
        + b"\x20"
        + _READ_MAX.to_bytes(2, "big")
        + _WRITE_MAX.to_bytes(2, "big")
    )
    control = _MESSAGE_ID.to_bytes(2, "big") + MESSAGE_BYTES.to_bytes(2, "big") + b"\x00\xff"
    return head + b"\x04\x06" + control


def message(address: str) -> Message:
    """An NDEF message whose address gets UID and counter (encrypted) as `e` and the MAC as `m` at each tap.

    `address` is https, without a query. Raises ValueError.
    """
    if not address.startswith(_HTTPS) or len(address) > _ADDRESS_MAX or set("?# ") & set(address):
        raise ValueError(
            f"a card's address is https://, without a query, and has {_ADDRESS_MAX} characters at most"
        )
    before = f"{address.removeprefix(_HTTPS)}?{_PICC}=".encode()
    text = before + b"0" * PICC_HEX + f"&{_MAC}=".encode() + b"0" * MAC_HEX
    record = bytes((0xD1, 1, len(text) + 1)) + b"U" + bytes((_URI_HTTPS,)) + text
    picc_at = _HEADER + len(before)
    mac_at = _HEADER + len(text) - MAC_HEX
    mirror = Sdm(META_KEY, FILE_KEY, picc_at=picc_at, mac_input_at=picc_at, mac_at=mac_at)
    rights = Rights(read=FREE, change=0, write=0)
    settings = FileSettings(
        FileType.STANDARD, CommMode.PLAIN, (rights,), size=MESSAGE_BYTES, iso_id=_MESSAGE_ID, sdm=mirror
    )
    return Message(len(record).to_bytes(2, "big") + record, settings)


def read_address(transport: Transport) -> str:
    """The address on a card, as a phone reads it; each reading in a new field is a new tap.

    Raises CardForeign (no NDEF message), SessionBroken (one that is no address), CardLost.
    """
    _select(transport, b"\x04\x00", DF_NAME)
    _select(transport, b"\x00\x0c", _CAPABILITIES_ID.to_bytes(2, "big"))
    container = _read(transport, 0, _CAPABILITIES_BYTES)
    _select(transport, b"\x00\x0c", container[9:11])
    size = int.from_bytes(_read(transport, 0, 2), "big")
    content = b"".join(
        _read(transport, 2 + at, min(_READ_MAX, size - at)) for at in range(0, size, _READ_MAX)
    )
    if len(content) < _HEADER - 2 or content[3:5] != bytes((ord("U"), _URI_HTTPS)):
        raise SessionBroken("the card's message is no address")
    return _HTTPS + content[5:].decode("ascii", "replace")


def _select(transport: Transport, how: bytes, name: bytes) -> None:
    ask = bytes((0, IsoIns.SELECT)) + how + bytes((len(name),)) + name
    if transport.transmit(ask)[-2:] != _ISO_OK:
        raise CardForeign("there is nothing for phones on this card")


def _read(transport: Transport, offset: int, size: int) -> bytes:
    answer = transport.transmit(bytes((0, IsoIns.READ_BINARY)) + offset.to_bytes(2, "big") + bytes((size,)))
    if answer[-2:] != _ISO_OK or len(answer) != size + 2:
        raise SessionBroken("the card's message cannot be read; tap again")
    return answer[:-2]


class Address(NamedTuple):
    """The card's part of an address, as it came in: 16 encrypted bytes, the MAC, and the characters under it."""

    picc: bytes
    mac: bytes
    covered: bytes


class Names(NamedTuple):
    """How an address names its parts: UID and counter, file data (none in most), MAC; and the part with which the text under the MAC begins ("": no text)."""

    picc: str
    data: str
    mac: str
    covered_from: str


OURS: Final = Names(_PICC, "", _MAC, _PICC)
LAYOUTS: Final = (OURS, Names("e", "", "c", ""), Names("picc_data", "enc", "cmac", "enc"))
"""What `message` writes, and the two that NXP AN12196 shows (pages 12 and 18), which makers' tools write onto cards."""


def parse_address(address: str) -> Address:
    """The card's part of an address of any known layout; raises TapRefused where it is not as a card makes it."""
    try:
        query = urlsplit(address).query
    except ValueError:  # brackets that hold no address of a host
        raise TapRefused("this is no address: tap the card again") from None
    for names in LAYOUTS:
        found = _parts(names).fullmatch(query)
        if found is not None:
            picc, mac = bytes.fromhex(found[names.picc]), bytes.fromhex(found[names.mac])
            begins = found.start(names.covered_from) if names.covered_from else found.start(names.mac)
            return Address(picc, mac, query[begins : found.start(names.mac)].encode())
    raise TapRefused("the address holds no proof of a card: tap the card again")


@cache
def _parts(names: Names) -> re.Pattern[str]:
    """An address's query of a layout, whatever else stands before and behind."""
    data = f"&{names.data}=(?P<{names.data}>(?:[0-9A-Fa-f]{{32}}){{1,4}})" if names.data else ""
    ends = [
        f"{name}=(?P<{name}>[0-9A-Fa-f]{{{size}}})"
        for name, size in ((names.picc, PICC_HEX), (names.mac, MAC_HEX))
    ]
    return re.compile(f"(?:[^#]{{0,64}}&)?{ends[0]}{data}&{ends[1]}(?:&[^#]{{0,200}})?")


def opened(address: Address, meta: CardKey) -> sdm.Tap:
    """Which card made the address, by its own word; `verify` says whether it did. Raises TapRefused."""
    return sdm.opened_picc(meta, address.picc)


def proved(address: Address, vault: Vault) -> sdm.Tap:
    """The tap behind an address, by whichever versions of the city's keys the card has, newest first; raises TapRefused."""
    for meta in vault.versions(Role.META_READ):
        for file in vault.versions(Role.FILE_READ):
            try:
                tap = opened(address, vault.card_key(Role.META_READ, meta, EVERY_CARD))
                return verify(address, tap, vault.card_key(Role.FILE_READ, file, tap.uid))
            except TapRefused:
                continue
    raise TapRefused("no key of this city proves the address: tap the card again")


def verify(address: Address, tap: sdm.Tap, file: CardKey) -> sdm.Tap:
    """The tap where its MAC is that card's; raises TapRefused. Whether its counter is new is the ledger's to know."""
    return sdm.check(file, tap, address.covered, address.mac)
