"""MT940 under strict rules: the shared files are admitted or refused by name, and our banks' files are read whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hebat.demo import statements as bank_writer
from keys.money import Sen
from settlement.errors import StatementRefused
from settlement.statements.mt940 import Dialect, end_to_end_of
from settlement.statements.reading import read
from tests.settlement.town import DATE

if TYPE_CHECKING:
    from pathlib import Path

# What strict rules make of the shared files: how many statements, or why not. Dialects of single banks come on top.
ADMITTED = {"betterplace_sepa_mt9401.sta": 26, "betterplace_with_binary_character.sta": 2}
REFUSED = {
    "betterplace_amount_formats.sta": "field 60F at the start",  # an excerpt
    "betterplace_empty_entry_date.sta": "field 61 at the start",  # an excerpt
    "btn-idr-mock.txt": r"line 4: '220412/00014' is no value of field 28C",  # six digits; balances lack the comma too
    "cmxl_account_balance_debit.sta": "field 60F at the start",  # an excerpt
    "cmxl_available_balance.sta": "field 64 at the start",  # an excerpt
    "cmxl_reference.sta": "without a closing balance",  # an excerpt
    "cmxl_statement_number.sta": "field 28C at the start",  # an excerpt
    "jejik_ing.sta": "outside any field",  # a header of the bank's own
    "jejik_rabobank-iban.sta": "outside any field",  # a header of the bank's own
    "jejik_triodos.sta": "field 28 after field 25",  # the old field 28
    "mBank_with_newline_in_tnr.sta": "control character 0x01",
    "self-provided_details_60-63.sta": "closing balance says 12345.98",  # made up: it does not add up
    "self-provided_gv_codes.sta": "without a closing balance",
    "self-provided_malformed_details.sta": "closing balance says 12345.98",
    "self-provided_overly_long_details.sta": "closing balance says 12345.98",
    "self-provided_sparkassen.sta": "field 61 at the start",  # an excerpt
    "self-provided_wrapped_timestamp.sta": "line 5: 160230 in field 61 is no date",  # 30 February
}

MESSAGE = (
    b":20:REF\r\n:25:0099001122\r\n:28C:1/1\r\n:60F:C261118IDR100,00\r\n"
    b":61:2611181118D40,05NTRFNONREF//B7\r\n:86:/EREF/KSH-20261118-0009-0001/REMI/payout to\r\n Toko Oen\r\n"
    b":62F:C261118IDR59,95\r\n-\r\n"
)


def files(data: Path) -> dict[str, bytes]:
    folder = data / "statements" / "mt940"
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in {".sta", ".txt"}}


def test_every_shared_file_is_admitted_or_refused_by_name(data: Path) -> None:
    assert files(data).keys() == ADMITTED.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", ADMITTED)
def test_shared_files_that_follow_the_standard_are_read(name: str, data: Path) -> None:
    statements = read(files(data)[name])
    assert len(statements) == ADMITTED[name]
    assert all(one.opening + one.movement == one.closing for one in statements)


@pytest.mark.parametrize("name", REFUSED)
def test_shared_files_that_do_not_are_refused_for_a_known_reason(name: str, data: Path) -> None:
    with pytest.raises(StatementRefused, match=REFUSED[name]):
        read(files(data)[name])


def test_a_line_is_read_with_all_that_the_bank_says() -> None:
    (statement,) = read(MESSAGE)
    (line,) = statement.lines
    assert (statement.account, statement.identifier, statement.currency) == ("0099001122", "REF-1/1", "IDR")
    assert (line.amount, line.end_to_end, line.reference) == (Sen(-4005), "KSH-20261118-0009-0001", "")
    assert (line.bank_reference, line.booking_date, line.source_line) == ("B7", DATE, 5)
    assert line.text == "/EREF/KSH-20261118-0009-0001/REMI/payout to Toko Oen"


def test_the_envelope_of_the_swift_network_is_no_part_of_the_statement() -> None:
    wrapped = b"{1:F01BNINIDJAXXXX0000000000}{2:I940PDJTIDJ1XXXXN}{4:\r\n" + MESSAGE.replace(
        b"-\r\n", b"-}\r\n"
    )
    assert next(one.lines for one in read(wrapped))[0].amount == -4005


def test_reversals_count_the_other_way() -> None:
    reversal = MESSAGE.replace(b"1118D40", b"1118RC40")
    assert read(reversal)[0].lines[0].amount == -4005
    returned = MESSAGE.replace(b"1118D40", b"1118RD40").replace(b"59,95", b"140,05")
    assert read(returned)[0].lines[0].amount == 4005


MOVEMENTS = st.lists(
    st.builds(
        bank_writer.Movement,
        st.integers(-(10**13), 10**13).filter(bool).map(Sen),
        st.sampled_from(["", "KSH-20261118-0009-0001", "INV-1"]),
        st.sampled_from(["payout", "setoran tunai", "TOKO OEN"]),
        st.sampled_from(["B1", "B2"]),
    ),
    max_size=8,
)


@given(opening=st.integers(-(10**13), 10**13), movements=MOVEMENTS)
def test_what_an_independent_writer_wrote_is_read_back_whole(
    opening: int, movements: list[bank_writer.Movement]
) -> None:
    account = bank_writer.Account("BNI", "0099001122", DATE, 7, Sen(opening), movements)
    (statement,) = read(bank_writer.mt940(account))
    assert (statement.opening, statement.closing) == (opening, account.closing)
    told = [(line.amount, line.end_to_end, line.bank_reference) for line in statement.lines]
    assert told == [(one.amount, one.reference, one.bank_reference) for one in movements]


@pytest.mark.parametrize(
    ("old", "new", "reason", "line"),
    [
        (b"IDR100,00", b"IDR10000", "no value of field 60F", 4),
        (b"IDR100,00", b"IDR100,00 or so", "no value of field 60F", 4),
        (b"IDR100,00", b"IDR100,001", "no value of field 60F", 4),
        (b"C261118IDR100", b"C261131IDR100", "is no date", 4),
        (b":61:261118", b":61:260230", "260230 in field 61 is no date", 5),
        (b"D40,05NTRF", b"X40,05NTRF", "no value of field 61", 5),
        (b":25:0099001122\r\n", b"", "field 28C after field 20, where 21 or 25 belongs", 2),
        (b":62F:C261118IDR59,95\r\n", b"", "without a closing balance", 6),
        (b"IDR59,95", b"IDR59,94", "but the closing balance says 59.94", 1),
        (b"IDR59,95", b"USD59,95", "closing balance is in USD", 1),
        (b":20:REF", b"hello\r\n:20:REF", "outside any field", 1),
        (b"Toko Oen", b"Toko\x00Oen", "control character 0x00", 7),
        (b"Toko Oen", b"Toko\xffOen", "no utf-8 text", 7),
        (b":28C:1/1\r\n", b":28C:1/1\r\nmore\r\n", "has a second line", 4),
    ],
)
def test_a_broken_message_is_refused_whole_with_line_and_reason(
    old: bytes, new: bytes, reason: str, line: int
) -> None:
    with pytest.raises(StatementRefused, match=reason) as refused:
        read(MESSAGE.replace(old, new))
    assert refused.value.line == line


@given(st.binary(max_size=200))
def test_no_bytes_do_worse_than_to_be_refused(noise: bytes) -> None:
    for content in (noise, MESSAGE[:90] + noise, MESSAGE + noise):
        try:
            statements = read(content)
        except StatementRefused as refused:
            assert refused.reason
        else:
            assert all(one.opening + one.movement == one.closing for one in statements)


def test_a_dialect_turns_a_banks_own_ways_into_the_standards() -> None:
    own = Dialect(
        "no commas", "latin-1", lambda text: text.replace("IDR100\r", "IDR100,\r"), reference=end_to_end_of
    )
    content = MESSAGE.replace(b"IDR100,00", b"IDR100").replace(b"Toko", b"Toko \xe9")
    with pytest.raises(StatementRefused):
        read(content)
    assert read(content, own)[0].opening == 100_00
