"""Transaction MAC Values of many card transactions under one master key, in one call that holds no lock (numba, `keys.aesni`).

For each transaction: the card's key from the master (AN10922 section 2.2), the session key from that (MF2DLHX0 section 10.3.3, SV 5A), the CMAC over the
Transaction MAC Input under it (RFC 4493), and of that the odd bytes. Inputs are whole blocks, one at least: anything else is for `card.tmac`.

A card key exists for less than a microsecond, in arrays that are wiped before the call returns.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from keys.aesni import ROUND_KEY_BYTES, USABLE, absorb, expand
from keys.cmac import BLOCK, aes_cmac
from keys.diversify import APPLICATION, SYSTEM, card_input, diversify_aes128
from keys.kernels import unlocked

if TYPE_CHECKING:
    import numpy.typing as npt

    Octets = npt.NDArray[np.uint8]
    Integers = npt.NDArray[np.int64]

TMV_BYTES: Final = 8
UID_BYTES: Final = 7
_RB: Final = 0x87
_MAC_LABEL: Final = 0x5A
_TAIL: Final = np.frombuffer(APPLICATION + SYSTEM, np.uint8)
_LABEL: Final = np.array([_MAC_LABEL, 0x00, 0x01, 0x00, 0x80], np.uint8)

_FILES: Final = ("aesni.py", "cardmacs.py", "cmac.py", "diversify.py", "kernels.py")
_compiled: Final = unlocked(*(Path(__file__).with_name(name) for name in _FILES))


@_compiled
def _double(block: Any) -> None:
    """A block times x in GF(2^128) (RFC 4493 section 2.3), without a branch on its bits."""
    carry = block[0] >> 7
    for at in range(15):
        block[at] = ((block[at] << 1) | (block[at + 1] >> 7)) & 0xFF
    block[15] = ((block[15] << 1) & 0xFF) ^ (carry * _RB)


@_compiled
def _subkey(round_keys: Any, zeros: Any, subkey: Any) -> None:
    """K1 of CMAC."""
    subkey[:] = 0
    absorb(round_keys, subkey, zeros, np.int64(0))
    _double(subkey)


@_compiled
def _derive(master: Any, second: Any, uid: Any, key_no: int, version: int, block: Any, key: Any) -> None:
    """A card's key: CBC-MAC of 01, UID, AID, system, key number | version, padding; `second` is K2 of the master."""
    block[0] = 1
    block[1:8] = uid
    block[8:15] = _TAIL
    block[15] = key_no
    key[:] = 0
    absorb(master, key, block, np.int64(0))
    block[:] = second
    block[0] ^= version
    block[1] ^= 0x80
    absorb(master, key, block, np.int64(0))


@_compiled
def _session(round_keys: Any, first: Any, uid: Any, tmc: int, block: Any, key: Any) -> None:
    """SesTMMACKey: CMAC of the label, the counter and the UID, which fill one block; `first` is K1 of the card's key."""
    block[0:5] = _LABEL
    for place in range(4):
        block[5 + place] = (tmc >> (8 * place)) & 0xFF
    block[9:16] = uid
    for place in range(BLOCK):
        block[place] ^= first[place]
    key[:] = 0
    absorb(round_keys, key, block, np.int64(0))


@_compiled
def _value(
    key: Any,
    uid: Any,
    tmc: int,
    data: Any,
    start: int,
    end: int,
    zeros: Any,
    block: Any,
    first: Any,
    keyed: Any,
    out: Any,
) -> None:
    """One value under a card's key, which is overwritten."""
    expand(key, keyed)
    _subkey(keyed, zeros, first)
    _session(keyed, first, uid, tmc, block, key)
    expand(key, keyed)
    _subkey(keyed, zeros, first)
    key[:] = 0
    last = end - BLOCK
    for place in range(start, last, BLOCK):
        absorb(keyed, key, data, np.int64(place))
    for place in range(BLOCK):
        block[place] = first[place] ^ data[last + place]
    absorb(keyed, key, block, np.int64(0))
    for place in range(TMV_BYTES):
        out[place] = key[2 * place + 1]


@_compiled
def _macs(
    master: Any, key_no: int, version: int, uids: Any, tmcs: Any, data: Any, starts: Any, ends: Any, out: Any
) -> None:
    zeros, block, key = np.zeros(BLOCK, np.uint8), np.zeros(BLOCK, np.uint8), np.zeros(BLOCK, np.uint8)
    first, second = np.zeros(BLOCK, np.uint8), np.zeros(BLOCK, np.uint8)
    mastered, keyed = np.zeros(ROUND_KEY_BYTES, np.uint8), np.zeros(ROUND_KEY_BYTES, np.uint8)
    expand(master, mastered)
    _subkey(mastered, zeros, second)
    _double(second)
    for at in range(len(uids)):
        _derive(mastered, second, uids[at], key_no, version, block, key)
        _value(key, uids[at], tmcs[at], data, starts[at], ends[at], zeros, block, first, keyed, out[at])
    for secret in (block, key, first, second, mastered, keyed):
        secret[:] = 0


def by_instructions(
    master: bytes,
    key_no: int,
    version: int,
    uids: Octets,
    tmcs: Integers,
    data: Octets,
    starts: Integers,
    ends: Integers,
) -> Octets:
    """The values, 8 bytes each; `uids` has 7 columns, `starts` and `ends` say where each input stands in `data`."""
    out = np.zeros((len(uids), TMV_BYTES), np.uint8)
    held = np.frombuffer(bytearray(master), np.uint8)
    # Rows of a table may be strided: to numba another kind of array, which it would compile for anew.
    uids, tmcs, starts, ends = map(np.ascontiguousarray, (uids, tmcs, starts, ends))
    _macs(held, key_no, version, uids, tmcs, data, starts, ends, out)
    held[:] = 0
    return out


def one_by_one(
    master: bytes,
    key_no: int,
    version: int,
    uids: Octets,
    tmcs: Integers,
    data: Octets,
    starts: Integers,
    ends: Integers,
) -> Octets:
    """The same without the instructions: through OpenSSL, whatever the processor."""
    out = np.zeros((len(uids), TMV_BYTES), np.uint8)
    whole = data.tobytes()
    label = _LABEL.tobytes()
    for at, (tmc, start, end) in enumerate(zip(tmcs.tolist(), starts.tolist(), ends.tolist(), strict=True)):
        uid = uids[at].tobytes()
        key = diversify_aes128(master, card_input(uid, key_no, version))
        session = aes_cmac(key, label + tmc.to_bytes(4, "little") + uid)
        out[at] = np.frombuffer(aes_cmac(session, whole[start:end])[1::2], np.uint8)
    return out


transaction_macs = by_instructions if USABLE else one_by_one
"""The quicker of the two that this machine has."""
