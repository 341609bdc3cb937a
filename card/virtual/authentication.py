"""AuthenticateEV2First and NonFirst on the chip (data sheet; AN12343 table 16)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card import ev2
from card.apdu import Ins, Status
from card.virtual.refusal import Refusal
from card.virtual.session import Handshake, Session
from keys.cmac import BLOCK

if TYPE_CHECKING:
    from collections.abc import Callable

    from card.virtual.chip import VirtualCard


def _first_half(card: VirtualCard, key_no: int, *, first: bool) -> bytes:
    slot = card.application.key(key_no)
    card.handshake = Handshake(slot.key(), key_no, card.rng(BLOCK), first=first)
    return card.handshake.challenge()


def ev2_first(card: VirtualCard, payload: bytes) -> bytes:
    """Key number, length of capabilities, capabilities: answers E(K, RndB)."""
    if len(payload) < 2 or len(payload) != 2 + payload[1] or payload[1] > len(ev2.CAPABILITIES):  # noqa: PLR2004
        raise Refusal(Status.LENGTH_ERROR)
    card.end_session()
    return _first_half(card, payload[0], first=True)


def ev2_non_first(card: VirtualCard, payload: bytes) -> bytes:
    """Key number: another key within the session's transaction."""
    if len(payload) != 1:
        raise Refusal(Status.LENGTH_ERROR)
    if card.session is None:
        raise Refusal(Status.PERMISSION_DENIED)
    return _first_half(card, payload[0], first=False)


def second_half(card: VirtualCard, payload: bytes) -> bytes:
    """E(K, RndA || RndB'): answers the chip's proof and opens the session."""
    handshake, before = card.handshake, card.session
    card.handshake = None
    if handshake is None:
        raise Refusal(Status.COMMAND_ABORTED)
    if handshake.first or before is None:
        channel, proof = handshake.finish(payload, card.rng(ev2.TI_BYTES), 0)
        card.session = Session(handshake.key_no, channel)
    else:
        channel, proof = handshake.finish(payload, before.channel.ti, before.channel.counter)
        before.channel, before.key_no = channel, handshake.key_no
    return proof


COMMANDS: dict[int, Callable[[VirtualCard, bytes], bytes]] = {
    Ins.AUTHENTICATE_EV2_FIRST: ev2_first,
    Ins.AUTHENTICATE_EV2_NON_FIRST: ev2_non_first,
}
