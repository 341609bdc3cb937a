"""Cashing up against real books: what agrees, what is kept or missing, and who may ask."""

from __future__ import annotations

import cbor2
import pytest

from card.batch import SHIFT_CONTENT_TYPE
from keys import envelope
from keys.identity import TerminalIdentity
from keys.money import Rupiah
from ledger.errors import BatchMalformed, SignatureRefused, TerminalUnknown
from ledger.shifts.desk import FRESH_MS
from tests.system.tears_city import TILLS, Rig

TILL = TILLS[0]


def asked(rig: Rig, *fields: object, number: int = TILL.number, kind: str = SHIFT_CONTENT_TYPE) -> bytes:
    """A question of the till's, signed with its own key."""
    sign = rig._identities[TILL.number].sign
    payload = cbor2.dumps(list(fields), canonical=True)
    return envelope.seal(payload, kid=number.to_bytes(4, "big"), sign=sign, content_type=kind)


def test_a_shift_agrees_differs_or_misses_records_as_the_books_have_it(rig: Rig) -> None:
    first, second, torn = (one.chip for one in rig.loaded(3))
    till = rig.terminal(TILL)
    till.outbox.open_shift("Kasir 1", rig.clock.now())
    till.sale(first, Rupiah(5_000))
    till.sale(second, Rupiah(2_500))
    torn.tear(11, acts=True)
    till.sale(torn, Rupiah(1_000))
    shift = till.outbox.close_shift(rig.clock.now())
    apart = till.cash_up(shift)
    assert (apart.agrees, apart.differs, apart.missing) == (False, ("sale",), 3)
    rig.upload(TILL)
    open_ = till.cash_up(shift)
    assert (open_.differs, open_.kept, open_.missing) == ((), 1, 0)
    torn.leave_field()
    rig.terminal(TILLS[1]).sale(torn, Rupiah(500))
    rig.upload(TILLS[1])
    told = till.cash_up(shift)
    assert [(line.kind, line.count, line.amount) for line in told.books] == [("sale", 3, 8_500)]
    assert (told.kept, told.missing, told.differs) == (0, 0, ("sale",))


@pytest.mark.parametrize(
    "fields", [(), (1, 2), (0, 2, None), (1, 100_001, None), ("1", 2, None), (5, 3, None), (True, 2, None)]
)
def test_a_question_that_is_none_is_answered_in_a_sentence(rig: Rig, fields: tuple[object, ...]) -> None:
    rig.terminal(TILL)
    now = rig.clock.now()
    with pytest.raises(BatchMalformed):
        rig.city.shifts.figures(asked(rig, *(now if one is None else one for one in fields)))


def test_only_the_terminal_itself_hears_of_its_shift_and_only_now(rig: Rig) -> None:
    rig.terminal(TILL)
    rig.terminal(TILLS[1])
    now = rig.clock.now()
    assert rig.city.shifts.figures(asked(rig, 1, 0, now)).lines == {}
    with pytest.raises(SignatureRefused):
        rig.city.shifts.figures(asked(rig, 1, 0, now, number=TILLS[1].number))
    with pytest.raises(TerminalUnknown):
        rig.city.shifts.figures(asked(rig, 1, 0, now, number=9999))
    with pytest.raises(BatchMalformed, match="another time"):
        rig.city.shifts.figures(asked(rig, 1, 0, now - FRESH_MS - 1))
    with pytest.raises(BatchMalformed, match="not application/ksh-shift"):
        rig.city.shifts.figures(asked(rig, 1, 0, now, kind="application/ksh-batch+cbor"))
    with pytest.raises(BatchMalformed, match="signed question"):
        rig.city.shifts.figures(b"x")
    stranger = TerminalIdentity(rig.folder / "stranger")
    payload = cbor2.dumps([1, 0, now], canonical=True)
    forged = envelope.seal(payload, kid=TILL.number.to_bytes(4, "big"), sign=stranger.sign, content_type=SHIFT_CONTENT_TYPE)  # fmt: skip
    with pytest.raises(SignatureRefused):
        rig.city.shifts.figures(forged)
