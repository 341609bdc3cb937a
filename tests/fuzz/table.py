"""Every way in for bytes from elsewhere. A decoder that is added to the packages is a line here; `test_fuzz_table` sees to that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.fuzz import of_card, of_hebat, of_intake, of_keys, of_ledger, of_settlement, of_terminals

if TYPE_CHECKING:
    from tests.fuzz.trial import Decoder

DECODERS: Final[list[Decoder]] = [
    *of_keys.DECODERS, *of_card.DECODERS, *of_ledger.DECODERS, *of_intake.DECODERS, *of_settlement.DECODERS,
    *of_terminals.DECODERS, *of_hebat.DECODERS,
]  # fmt: skip
BY_NAME: Final = {one.name: one for one in DECODERS}
