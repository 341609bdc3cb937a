"""Key blocks: ASC X9.143 (formerly TR-31), version D: AES-CBC and AES-CMAC under keys derived from a transport key.

The library `psec` does the cryptography; this says which header a master key of ours has, and takes no other. Usage is the
proprietary range "10" to "99" of X9.143 table 2: 20 plus the role's key number. Mode X: the key serves derivation only.
Optional block KC: the key's check value (01: CMAC).
"""

from __future__ import annotations

from typing import Final

from keys.errors import KeyBlockError, KeyMisused
from keys.softkey import check_value
from keys.vault import KeyName, Role

_VERSION: Final = "D"
_AES: Final = "A"
_DERIVE: Final = "X"
_EXPORTABLE: Final = "S"
"""Sensitive: exportable again under another key's choice, which X9.143 leaves to the receiver."""
_USAGES: Final = {f"{20 + role.key_no:02d}": role for role in Role}
_CHECK_BLOCK: Final = "KC"
_CHECK_BY_CMAC: Final = "01"


def wrap(transport_key: bytes, name: KeyName, value: bytes) -> str:
    """A master key as a key block, ASCII; raises KeyMisused for a key that is no role's."""
    from psec import tr31  # noqa: PLC0415  a terminal never wraps a key and has no psec

    usage = {role.value: code for code, role in _USAGES.items()}.get(name.label)
    if usage is None:
        raise KeyMisused(f"{name.label} is no card role's master key: only those leave a vault as key blocks")
    header = tr31.Header(_VERSION, usage, _AES, _DERIVE, f"{name.version:02X}", _EXPORTABLE)
    header.blocks[_CHECK_BLOCK] = _CHECK_BY_CMAC + check_value(value).hex().upper()
    return tr31.wrap(transport_key, header, value)


def unwrap(transport_key: bytes, block: str) -> tuple[KeyName, bytes]:
    """Name and value of the key in a block that `wrap` made; raises KeyBlockError."""
    from psec import tr31  # noqa: PLC0415  as above

    try:
        header, value = tr31.unwrap(transport_key, block)
    except (ValueError, LookupError, TypeError):
        raise KeyBlockError(
            "the key block does not open: it was changed, or wrapped under another transport key"
        ) from None
    role = _USAGES.get(header.key_usage)
    if role is None or (header.version_id, header.algorithm, header.mode_of_use) != (
        _VERSION,
        _AES,
        _DERIVE,
    ):
        raise KeyBlockError(
            "the key block holds no master key of a card: ask its sender for usage, algorithm and mode"
        )
    if header.blocks.get(_CHECK_BLOCK, "")[2:] != check_value(value).hex().upper():
        raise KeyBlockError("the key block's check value is not that of its key: ask its sender")
    try:
        return KeyName(role.value, int(header.version_num, 16)), value
    except ValueError:
        raise KeyBlockError("the key block says no key version: ask its sender") from None
