"""What a chip signed is believed as a whole or not at all: each way in which an input may not add up is refused (law 2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from card import evidence, tmac
from card.apdu import Ins
from card.errors import EvidenceError
from card.layout import File, Journey, JourneyState, LogRecord, ReaderId, TapKind
from keys.money import Rupiah
from tests.card.known import IDENTITY

if TYPE_CHECKING:
    from collections.abc import Callable

AT, TERMINAL, SEQUENCE = 1_795_000_000, 1001, 7
READER = ReaderId(TERMINAL, SEQUENCE, AT)
JOURNEY = Journey(
    JourneyState.OUTSIDE, AT, 7, 1, AT, Rupiah(3_500), day_total=Rupiah(3_500), last_terminal=TERMINAL
)


@dataclass(frozen=True)
class Signed:
    """An input as a chip could have signed it; each part may be told otherwise."""

    kind: TapKind = TapKind.FARE
    moved: int = -3_500
    before: int = 50_000
    record: LogRecord | None = None
    reader: ReaderId = READER
    ins: Ins | None = None
    file: int = File.PURSE

    def told(self) -> LogRecord:
        after = Rupiah(self.before + self.moved)
        return self.record or LogRecord(self.kind, Rupiah(abs(self.moved)), after, AT, TERMINAL, SEQUENCE, 42)

    def entries(self) -> list[bytes]:
        ins = self.ins or (Ins.CREDIT if self.moved > 0 else Ins.DEBIT)
        value = [tmac.value_entry(ins, self.file, abs(self.moved))] if self.moved or self.ins else []
        return [
            tmac.data_entry(Ins.READ_DATA, File.IDENTITY, 0, IDENTITY.encode()),
            tmac.data_entry(Ins.READ_DATA, File.JOURNEY, 0, JOURNEY.encode()),
            tmac.value_entry(Ins.GET_VALUE, File.PURSE, self.before),
            *value,
            tmac.data_entry(Ins.WRITE_RECORD, File.LOG, 0, self.told().encode()),
            tmac.reader_entry(self.reader.encode(), bytes(16)),
        ]

    @property
    def tmi(self) -> bytes:
        return b"".join(self.entries())


PAID = st.sampled_from([TapKind.FARE, TapKind.SALE, TapKind.TAP_IN, TapKind.TAP_OUT])
LOADED = st.sampled_from([TapKind.LOAD, TapKind.REFUND])
TRUE = st.one_of(
    st.builds(Signed, PAID, st.integers(-20_000_000, 0), st.just(20_000_000)),
    st.builds(Signed, LOADED, st.integers(1, 20_000_000), st.integers(0, 20_000_000)),
    st.just(Signed(TapKind.LOCK, 0)),
)


@given(TRUE)
def test_what_adds_up_is_read_as_it_was_signed(signed: Signed) -> None:
    found = evidence.parse(signed.tmi)
    assert (found.amount, found.balance_before, found.record) == (signed.moved, signed.before, signed.told())
    assert (found.reader, found.identity, found.journey_before) == (signed.reader, IDENTITY, JOURNEY)


FIELDS: dict[str, Callable[[LogRecord, int], LogRecord]] = {
    "amount": lambda told, by: replace(told, amount=Rupiah(told.amount + by)),
    "balance after": lambda told, by: replace(told, balance_after=Rupiah(told.balance_after + by)),
    "terminal": lambda told, by: replace(told, terminal=told.terminal + by),
    "sequence": lambda told, by: replace(told, sequence=told.sequence + by),
    "time": lambda told, by: replace(told, at=told.at + by),
}


@given(signed=TRUE, field=st.sampled_from(sorted(FIELDS)), by=st.integers(1, 1_000))
def test_a_log_record_that_says_anything_else_than_what_happened_is_refused(
    signed: Signed, field: str, by: int
) -> None:
    lie = FIELDS[field](signed.told(), by)
    with pytest.raises(EvidenceError, match=r"not what happened|names another terminal"):
        evidence.parse(replace(signed, record=lie).tmi)


@given(signed=TRUE, kind=st.sampled_from(TapKind))
def test_money_that_goes_the_other_way_than_its_kind_says_is_refused(signed: Signed, kind: TapKind) -> None:
    assume(signed.moved and (kind is TapKind.LOCK or kind.credits_card != (signed.moved > 0)))
    with pytest.raises(EvidenceError, match=r"does not fit the direction|a lock moves no money"):
        evidence.parse(replace(signed, kind=kind).tmi)


@pytest.mark.parametrize(
    "signed",
    [
        Signed(moved=0, ins=Ins.DEBIT),
        Signed(moved=0, ins=Ins.CREDIT),
        Signed(file=File.LOG),
        Signed(file=File.IDENTITY),
    ],
)
def test_a_change_of_nothing_or_of_another_file_is_refused(signed: Signed) -> None:
    with pytest.raises(EvidenceError, match="elsewhere than in the purse, or by nothing"):
        evidence.parse(signed.tmi)


@given(signed=TRUE, data=st.data())
def test_an_input_with_a_part_missing_or_told_twice_is_refused(signed: Signed, data: st.DataObject) -> None:
    entries = signed.entries()
    place = data.draw(st.integers(0, len(entries) - 1))
    for told in ([*entries, entries[place]], entries[:place] + entries[place + 1 :]):
        with pytest.raises(EvidenceError):
            evidence.parse(b"".join(told))


def test_a_second_change_of_the_purse_is_refused_whichever_way_it_goes() -> None:
    for ins in (Ins.DEBIT, Ins.CREDIT):
        with pytest.raises(EvidenceError, match="twice in one transaction"):
            evidence.parse(Signed().tmi + tmac.value_entry(ins, File.PURSE, 1))
