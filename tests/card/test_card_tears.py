"""Cut every exchange of a fare and of a load, before and after the chip acts: value is conserved, nobody pays twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card import inspecting, purse
from card.errors import Acted, CardLost
from card.layout import AID, File, Journey, TapKind
from card.purse import Change
from keys.clock import UnixMs
from keys.money import Rupiah
from keys.vault import Role

if TYPE_CHECKING:
    from card.virtual import VirtualCard
    from keys.filevault import FileVault

START = 50_000
FLOWS = {TapKind.FARE: (Role.DEBIT, 12, -3_500), TapKind.LOAD: (Role.LOAD, 11, 10_000)}
CUTS = [
    (kind, cut, acts)
    for kind, (_, exchanges, _) in FLOWS.items()
    for cut in range(1, exchanges + 1)
    for acts in (False, True)
]


def transact(card: VirtualCard, vault: FileVault, kind: TapKind, sequence: int = 2) -> purse.Evidence:
    role, _, moved = FLOWS[kind]
    journey = Journey(tap_in_at=sequence) if kind is TapKind.FARE else None
    open_ = purse.open_card(card, vault, role)
    open_.stage(Change(kind, Rupiah(abs(moved)), journey, 1, sequence, UnixMs(1_795_000_000_000)))
    return open_.commit()


def value(card: VirtualCard) -> int:
    return card.applications[AID].files[File.PURSE].value


@pytest.mark.parametrize(("kind", "cut", "acts"), CUTS)
def test_a_torn_card_has_committed_whole_or_not_at_all_and_says_which(
    card: VirtualCard, vault: FileVault, kind: TapKind, cut: int, *, acts: bool
) -> None:
    open_ = purse.open_card(card, vault, Role.LOAD)
    open_.stage(Change(TapKind.LOAD, Rupiah(START), None, 1, 1, UnixMs(1_795_000_000_000)))
    open_.commit()
    before = purse.seen_now(card)
    _, exchanges, moved = FLOWS[kind]
    card.tear(cut, acts=acts)
    with pytest.raises(CardLost) as lost:
        transact(card, vault, kind)
    assert lost.value.acted is Acted.UNKNOWN
    after = purse.seen_now(card)
    committed = after.tmc == before.tmc + 1
    assert committed == (cut == exchanges and acts)
    assert value(card) == START + (moved if committed else 0)
    newest = inspecting.newest_record(card, vault, FLOWS[kind][0]) if kind is TapKind.FARE else None
    if newest is not None:
        assert (newest.kind is kind) == committed
    proof = transact(card, vault, kind, 3)
    assert proof.tmc == after.tmc + 1
    assert value(card) == START + moved * (2 if committed else 1)


def test_the_last_pair_on_the_card_is_the_evidence_that_the_lost_answer_carried(
    card: VirtualCard, vault: FileVault
) -> None:
    first = transact(card, vault, TapKind.LOAD)
    seen = purse.seen_now(card)
    assert (seen.tmc, seen.tmv) == (first.tmc, first.tmv)
