"""MT940 under strict rules: the shared files are admitted or refused by name, and our banks' files are read whole."""

from __future__ import annotations

from datetime import date, timedelta

import mt940 as library
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hebat.demo import statements as bank_writer
from keys.money import Sen
from settlement.errors import StatementRefused
from settlement.statements import mt940
from settlement.statements.dialects import BTN, EUROPEAN, Dialect, Mend, dialect_of, end_to_end_of
from settlement.statements.model import Remark
from settlement.statements.mt940_fields import Field
from settlement.statements.reading import read
from tests.settlement.town import DATE

MESSAGE = (
    b":20:REF\r\n:25:0099001122\r\n:28C:1/1\r\n:60F:C261118IDR100,00\r\n"
    b":61:2611181118D40,05NTRFNONREF//B7\r\n:86:/EREF/KSH-20261118-0009-0001/REMI/payout to\r\n Toko Oen\r\n"
    b":62F:C261118IDR59,95\r\n-\r\n"
)


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


@given(
    day=st.dates(date(2001, 1, 1), date(2030, 12, 31)),
    entry=st.integers(-150, 150),
    status=st.sampled_from(["C", "D", "RC", "RD"]),
    amount=st.from_regex(r"[0-9]{1,12},[0-9]{0,2}", fullmatch=True),
)
def test_amounts_and_dates_of_a_line_are_those_that_the_library_finds(
    day: date, entry: int, status: str, amount: str
) -> None:
    booked = day + timedelta(days=entry)
    field = f"{day:%y%m%d}{booked:%m%d}{status}{amount}NTRFREF//B1"
    grammar = library.models.Transactions(options=library.Options.all())
    tag = grammar.tags[61]
    told = tag(grammar, tag.parse(grammar, field))
    line = mt940._line(Field("61", field, 1), "IDR", "", EUROPEAN)
    assert line.amount == told["amount"].amount * 100
    assert (line.value_date, line.booking_date) == (day, booked)
    assert told["date"] == day


def remarks_of(content: bytes, dialect: Dialect) -> list[Remark]:
    return list(mt940.read(content, dialect).remarks)


@pytest.mark.parametrize(
    ("old", "new", "mend", "line"),
    [
        (b"IDR100,00", b"IDR100", Mend.NO_COMMA, 4),
        (b"Toko", b"Toko\t", Mend.TABS, 7),
        (b"Toko", b"Tok\xf3", Mend.CHARSET, 7),
        (b"Toko", b"Tok\x02o", Mend.CONTROL, 7),
        (b":20:REF", b"940 00\r\n:20:REF", Mend.HEADER, 1),
        (b"-\r\n", b"-XXX\r\n", Mend.TRAILER, 9),
        (b":28C:", b":28:", Mend.FIELD_28, 3),
        (b":28C:1/1", b":28C:220412/00014", Mend.LONG_NUMBER, 3),
        (b"D40,05", b"D\r\n40,05", Mend.WRAPPED, 5),
        (b" Toko", b":15:00 Toko", Mend.NO_FIELD, 7),
        (b":61:2611181118", b":61:2611311118", Mend.MONTH_END, 5),
    ],
)
def test_what_a_dialect_mends_it_says_and_the_standard_refuses(
    old: bytes, new: bytes, mend: Mend, line: int
) -> None:
    content = MESSAGE.replace(old, new)
    dialect = Dialect("one mend", frozenset({mend}), end_to_end_of)
    assert remarks_of(content, dialect) == [Remark(line, mend.value)]
    (statement,) = read(content, dialect)
    assert (statement.opening, statement.movement) == (100_00, -40_05)
    with pytest.raises(StatementRefused):
        read(content)


def test_a_file_of_the_standard_needs_no_mending_in_any_dialect() -> None:
    assert remarks_of(MESSAGE, EUROPEAN) == remarks_of(MESSAGE, BTN) == []


def test_an_amount_that_has_its_comma_is_never_changed() -> None:
    for content in (MESSAGE, MESSAGE.replace(b"IDR100,00", b"IDR100")):
        assert mt940.read(content, BTN).statements[0].lines[0].amount == -40_05


def test_an_excerpt_is_not_mistaken_for_a_banks_own_header() -> None:
    with pytest.raises(StatementRefused, match="field 25 at the start"):
        read(MESSAGE.removeprefix(b":20:REF\r\n"), EUROPEAN)


def test_a_bank_is_read_in_its_own_dialect_and_an_unknown_one_by_the_standard() -> None:
    assert [dialect_of(bic).name for bic in ("BNINIDJA", "BTANIDJAXXX", "PDJTIDJ1")] == [
        "BNI",
        "BTN",
        "the standard",
    ]


def test_a_reference_of_ours_is_found_in_a_banks_free_text() -> None:
    free = MESSAGE.replace(b"/EREF/KSH-20261118-0009-0001/REMI/", b"TRF KSH-20261118-0009-0001 ")
    assert read(free, dialect_of("BNINIDJA"))[0].lines[0].end_to_end == "KSH-20261118-0009-0001"
    two = free.replace(b"Toko Oen", b"KSH-20261118-0009-0002")
    assert read(two, dialect_of("BNINIDJA"))[0].lines[0].end_to_end == ""


def test_law_10_a_line_without_end_is_refused_before_it_is_read() -> None:
    with pytest.raises(StatementRefused, match="a line of over 20000 bytes"):
        read(MESSAGE.replace(b"Toko", b"T" * 30_000))
