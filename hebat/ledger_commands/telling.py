"""What a proof says, in plain sentences and for machines. Only what was proven is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from card.layout import TapKind, luhn_digit
from keys.clock import Day, UnixMs, date_of, local
from keys.money import Sen, display
from ledger.proofs.checkpoint import Checkpoint
from ledger.proofs.file import Consistency, Inclusion
from ledger.proofs.leaf import What

if TYPE_CHECKING:
    from ledger.proofs.leaf import Leaf, Opening

    Told = Checkpoint | tuple[Checkpoint, Checkpoint]

_DONE: Final = {
    TapKind.FARE: "paid a fare of",
    TapKind.SALE: "paid",
    TapKind.LOAD: "was loaded with",
    TapKind.REFUND: "was given back",
    TapKind.TAP_IN: "tapped in and paid",
    TapKind.TAP_OUT: "tapped out and paid",
    TapKind.LOCK: "was locked as blocked, moving",
}


def sentences(proof: Inclusion | Consistency, told: Told) -> list[str]:
    """For people, a sentence a line."""
    if isinstance(proof, Inclusion) and isinstance(told, Checkpoint):
        return ["Proven.", _what(proof.leaf, proof.opening), _where(proof, told)]
    assert isinstance(told, tuple)  # noqa: S101  a consistency proof gives both
    old, new = told
    unchanged = (
        f"Everything in the books of {old.origin} on {date_of(old.business_date)} ({old.size} leaves, up to position "
        f"{old.position}) stood unchanged on {date_of(new.business_date)} ({new.size} leaves, up to position {new.position})."
    )
    return ["Proven.", unchanged]


def _what(leaf: Leaf, opening: Opening | None) -> str:
    at = f"{local(UnixMs(leaf.occurred_at)):%Y-%m-%d %H:%M:%S}"
    if leaf.what is What.TRANSFERS:
        many = "a transfer" if leaf.rows == 1 else f"{leaf.rows} linked transfers"
        return f"At {at} {many} of {display(Sen(leaf.amount))} in all, from position {leaf.position} on."
    who = "A card"
    if opening is not None:
        who = f"Card {_card_number(opening)} (UID {opening.uid.hex()}), in its transaction {opening.tmc},"
    done = _DONE.get(TapKind(leaf.kind), "did something of") if leaf.kind in set(TapKind) else "moved"
    left = f"{display(Sen(leaf.balance_after))} was left on it"
    return (
        f"{who} {done} {display(Sen(abs(leaf.amount)))} at terminal {leaf.terminal} on {at} (record {leaf.sequence} "
        f"there); {left}."
    )


def _where(proof: Inclusion, told: Checkpoint) -> str:
    of = f"leaf {proof.index} of the {told.size} that {told.origin} signed"
    return (
        f"It is in the books of business date {date_of(Day(proof.leaf.business_date))}: {of} when it closed "
        f"{date_of(told.business_date)} at {local(told.closed_at):%Y-%m-%d %H:%M:%S}."
    )


def _card_number(opening: Opening) -> int:
    return opening.number * 10 + luhn_digit(opening.number)


def facts(proof: Inclusion | Consistency, told: Told) -> dict[str, Any]:
    """For machines: amounts in sen, times in Unix milliseconds."""
    if isinstance(told, tuple):
        return {"first": _checkpoint(told[0]), "second": _checkpoint(told[1])}
    assert isinstance(proof, Inclusion)  # noqa: S101  the other kind gives two
    leaf, opening = proof.leaf, proof.opening
    found: dict[str, Any] = {
        "what": leaf.what.name.lower(), "business_date": date_of(Day(leaf.business_date)).isoformat(), "index": proof.index,
        "position": leaf.position, "transfers": leaf.rows, "rows_sha256": leaf.digest.hex(), "amount": leaf.amount,
        "occurred_at": leaf.occurred_at, "checkpoint": _checkpoint(told),
    }  # fmt: skip
    if leaf.what is What.TAP:
        found |= {
            "kind": leaf.kind, "balance_after": leaf.balance_after, "terminal": leaf.terminal, "sequence": leaf.sequence,
        }  # fmt: skip
    if opening is not None:
        found["card"] = {"number": _card_number(opening), "uid": opening.uid.hex(), "tmc": opening.tmc}
    return found


def _checkpoint(one: Checkpoint) -> dict[str, Any]:
    return {
        "origin": one.origin, "business_date": date_of(one.business_date).isoformat(), "closed_at": one.closed_at,
        "size": one.size, "root": one.root.hex(), "block": one.block, "position": one.position, "head": one.head.hex(),
    }  # fmt: skip
