"""Proof files: JSON with one spelling, so that any changed byte is refused. What a third party needs to check one is here.

Needs neither database nor NumPy: `cbor2` and `cryptography` for the signature, hashlib for the rest. docs/proofs.md has the format.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from ledger.errors import ProofInvalid
from ledger.proofs import checkpoint, leaf, merkle
from ledger.proofs.leaf import Leaf, Opening, What

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ledger.proofs.checkpoint import Checkpoint

INCLUSION: Final = "ksh-inclusion-1"
CONSISTENCY: Final = "ksh-consistency-1"
FILE_BYTES_MAX: Final = 16 << 10
PATH_MAX: Final = 63
_LEAF_FIELDS: Final = tuple(Leaf.__dataclass_fields__)
_OPENING_FIELDS: Final = tuple(Opening.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Inclusion:
    """That a leaf is in the tree of a checkpoint; without `opening`, not whose card it was."""

    leaf: Leaf
    opening: Opening | None
    index: int
    path: tuple[bytes, ...]
    signed: bytes

    def encode(self) -> bytes:
        """The file's bytes."""
        told: dict[str, Any] = {
            "format": INCLUSION, "leaf": _plain(self.leaf), "opening": self.opening and _plain(self.opening),
            "index": self.index, "path": [node.hex() for node in self.path], "checkpoint": self.signed.hex(),
        }  # fmt: skip
        return _written(told)

    def check(self, public_key: bytes) -> Checkpoint:
        """The checkpoint whose tree holds the leaf; raises ProofInvalid where that is not proven for this key."""
        found = checkpoint.opened(self.signed, public_key)
        root = merkle.root_of_inclusion(self.leaf.hash(), self.index, found.size, self.path)
        if root != found.root:
            raise ProofInvalid("the transaction is not in the tree that this checkpoint signs")
        if self.opening is not None and self.opening.commitment() != self.leaf.card:
            raise ProofInvalid("the transaction is not of the card that the proof names")
        return found


@dataclass(frozen=True, slots=True)
class Consistency:
    """That everything that one checkpoint covers stands unchanged in a later one."""

    first: bytes
    second: bytes
    path: tuple[bytes, ...]

    def encode(self) -> bytes:
        """The file's bytes."""
        told = {
            "format": CONSISTENCY, "first": self.first.hex(), "second": self.second.hex(),
            "path": [node.hex() for node in self.path],
        }  # fmt: skip
        return _written(told)

    def check(self, public_key: bytes) -> tuple[Checkpoint, Checkpoint]:
        """Both checkpoints; raises ProofInvalid where the second does not continue the first."""
        old, new = (checkpoint.opened(one, public_key) for one in (self.first, self.second))
        if old.origin != new.origin:
            raise ProofInvalid("the two checkpoints are of different ledgers")
        ordered = old.business_date <= new.business_date and old.position <= new.position
        if not ordered or not merkle.is_consistent(old.size, old.root, new.size, new.root, self.path):
            raise ProofInvalid("the later checkpoint does not continue the earlier one: history was changed")
        return old, new


def decode(data: bytes) -> Inclusion | Consistency:
    """A proof from its file; raises ProofInvalid for anything that `encode` would not have written."""
    if len(data) > FILE_BYTES_MAX:
        raise ProofInvalid(f"a proof has at most {FILE_BYTES_MAX} bytes, this file has {len(data)}")
    try:
        told = json.loads(data)
        found: Inclusion | Consistency = _DECODERS[told["format"]](told)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ProofInvalid("the file is no proof of this format, or it was changed") from None
    if found.encode() != data:
        raise ProofInvalid("the file is not as a ledger writes it: it was changed")
    return found


def _written(told: dict[str, Any]) -> bytes:
    return (json.dumps(told, indent=1) + "\n").encode()


def _plain(one: Leaf | Opening) -> dict[str, Any]:
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in asdict(one).items()}


def _inclusion(told: Any) -> Inclusion:
    given = told["leaf"]
    found = Leaf(*(_value(Leaf, name, given[name]) for name in _LEAF_FIELDS))
    leaf.decode(found.encode())
    shown = told["opening"]
    opening = (
        None if shown is None else Opening(*(_value(Opening, name, shown[name]) for name in _OPENING_FIELDS))
    )
    return Inclusion(found, opening, _number(told["index"]), _path(told["path"]), _hex(told["checkpoint"]))


def _consistency(told: Any) -> Consistency:
    return Consistency(_hex(told["first"]), _hex(told["second"]), _path(told["path"]))


_DECODERS: Final[dict[str, Callable[[Any], Inclusion | Consistency]]] = {
    INCLUSION: _inclusion,
    CONSISTENCY: _consistency,
}
_TEXTS: Final = {"salt", "digest", "card", "uid"}


def _value(kind: type[Leaf | Opening], name: str, value: Any) -> Any:
    if kind is Leaf and name == "what":
        return What(_number(value))
    return _hex(value) if name in _TEXTS else _number(value)


def _number(value: Any) -> int:
    if type(value) is not int:
        raise TypeError
    return value


def _hex(value: Any) -> bytes:
    if type(value) is not str:
        raise TypeError
    return bytes.fromhex(value)


def _path(values: Sequence[Any]) -> tuple[bytes, ...]:
    if not isinstance(values, list) or len(values) > PATH_MAX:
        raise TypeError
    return tuple(_hex(value) for value in values)
