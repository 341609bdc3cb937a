"""Money is whole sen, and text and chip meet it in one place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.errors import MoneyError
from keys.money import Rupiah, Sen, display, parse, plain, rupiah_of, sen_of

amounts = st.integers(-(10**15), 10**15).map(Sen)


@given(amounts)
def test_law_01_money_is_whole_sen_whatever_text_it_travels_as(sen: Sen) -> None:
    assert parse(plain(sen)) == sen
    assert isinstance(parse(plain(sen)), int)


@given(st.integers(0, 20_000_000).map(Rupiah))
def test_law_01_rupiah_of_the_chip_are_sen_of_the_ledger_and_back(rupiah: Rupiah) -> None:
    assert rupiah_of(sen_of(rupiah)) == rupiah


def test_sen_do_not_fit_a_chip() -> None:
    with pytest.raises(MoneyError, match=r"10\.50"):
        rupiah_of(Sen(1050))


@pytest.mark.parametrize(
    "text", ["", "1e3", "1.234,00", "1,000.00", "0x10", "12.345", "١٢", " 1", "1.", ".5", "--1", "NaN"]
)
def test_text_that_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(MoneyError):
        parse(text)


@pytest.mark.parametrize(
    ("sen", "shown"), [(350_000, "Rp3.500"), (1_050, "Rp10,50"), (-1_000_000, "-Rp10.000"), (0, "Rp0")]
)
def test_amounts_are_shown_as_people_in_indonesia_write_them(sen: int, shown: str) -> None:
    assert display(Sen(sen)) == shown
