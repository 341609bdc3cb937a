"""camt.053: what banks write is read, and anything that is not exactly a statement is refused with its line."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hebat.demo import statements as bank_writer
from keys.money import Sen
from settlement.errors import StatementRefused, StatementTooLarge
from settlement.statements import reading
from settlement.statements.model import FILE_BYTES_MAX
from settlement.statements.reading import read
from tests.settlement.town import DATE

if TYPE_CHECKING:
    from pathlib import Path

# The files of a public test suite: what strict rules admit, and why they refuse the others.
SHARED = {
    "camt053.v2.multi.statement.xml": None,
    "camt053.v2.minimal.xml": "closing balance is in SEK, the opening balance in EUR",
    "camt053.v2.wrong.xml": "no statement in this file",
    "camt053.v4.xml": "closing balance is in SEK, the opening balance in EUR",
    "camt054.v2.xml": "no camt.053 of version 2, 4 or 8",
}

PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}"><BkToCstmrStmt><Stmt>
<Id>S1</Id><Acct><Id><Othr><Id>0099001122</Id></Othr></Id></Acct>
<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="IDR">100.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-18</Dt></Dt></Bal>
<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="IDR">{closing}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-18</Dt></Dt></Bal>
{entries}</Stmt></BkToCstmrStmt></Document>"""

ENTRY = """<Ntry><Amt Ccy="IDR">{amount}</Amt><CdtDbtInd>DBIT</CdtDbtInd>{status}
<BookgDt><Dt>2026-11-18</Dt></BookgDt><ValDt><DtTm>2026-11-19T01:00:00+07:00</DtTm></ValDt><AcctSvcrRef>B7</AcctSvcrRef>
<NtryDtls>{details}</NtryDtls></Ntry>"""

BOOKED = {"02": "<Sts>BOOK</Sts>", "04": "<Sts>BOOK</Sts>", "08": "<Sts><Cd>BOOK</Cd></Sts>"}


def page(entries: str = "", closing: str = "100.00", version: str = "08") -> bytes:
    return PAGE.format(entries=entries, closing=closing, version=version).encode()


def entry(amount: str, details: str = "", status: str = BOOKED["08"]) -> str:
    return ENTRY.format(amount=amount, details=details, status=status)


def paid(reference: str, amount: str) -> str:
    return (
        f'<TxDtls><Refs><EndToEndId>{reference}</EndToEndId></Refs><Amt Ccy="IDR">{amount}</Amt>'
        "<CdtDbtInd>DBIT</CdtDbtInd></TxDtls>"
    )


@pytest.mark.parametrize("name", SHARED)
def test_files_of_a_public_suite_are_read_or_refused_for_a_known_reason(name: str, data: Path) -> None:
    content = (data / "statements" / "camt" / name).read_bytes()
    reason = SHARED[name]
    if reason is None:
        first, second = read(content)
        assert (first.opening, first.movement, second.movement) == (Sen(18_15), Sen(8_85), Sen(-7_00))
        assert second.lines[0].end_to_end == "000000002"
        assert second.lines[0].booking_date == date(2014, 12, 31)
        assert second.lines[0].value_date == date(2015, 1, 2)
    else:
        with pytest.raises(StatementRefused, match=reason):
            read(content)


def test_every_file_of_the_public_suite_is_listed(data: Path) -> None:
    assert {path.name for path in (data / "statements" / "camt").glob("*.xml")} == SHARED.keys()


MOVEMENTS = st.lists(
    st.builds(
        bank_writer.Movement,
        st.integers(-(10**13), 10**13).filter(bool).map(Sen),
        st.sampled_from(["", "KSH-20261118-0009-0001", "INV-1"]),
        st.sampled_from(["payout", "Toko Oen & <Sons>", "setoran"]),
        st.sampled_from(["B1", "B2"]),
    ),
    max_size=8,
)


@given(opening=st.integers(-(10**14), 10**14), movements=MOVEMENTS, version=st.sampled_from(["02", "08"]))
def test_what_an_independent_writer_wrote_is_read_back_whole(
    opening: int, movements: list[bank_writer.Movement], version: str
) -> None:
    account = bank_writer.Account("BNI", "0099001122", DATE, 7, Sen(opening), movements)
    (statement,) = read(bank_writer.camt053(account, version))
    assert (statement.account, statement.opening, statement.closing) == (
        account.number,
        opening,
        account.closing,
    )
    told = [(line.amount, line.end_to_end, line.text, line.bank_reference) for line in statement.lines]
    assert told == [(one.amount, one.reference, one.text, one.bank_reference) for one in movements]


@pytest.mark.parametrize("version", ["02", "04", "08"])
def test_a_batch_booking_told_in_full_is_a_line_for_each_transaction(version: str) -> None:
    details = paid("KSH-1", "30.05") + paid("KSH-2", "9.95")
    (statement,) = read(page(entry("40.00", details, BOOKED[version]), "60.00", version))
    assert [(line.end_to_end, line.amount) for line in statement.lines] == [("KSH-1", -3005), ("KSH-2", -995)]
    assert statement.lines[0].value_date == date(2026, 11, 19)


def test_a_batch_booking_that_does_not_add_up_stays_one_line_without_reference() -> None:
    (statement,) = read(page(entry("40.00", paid("KSH-1", "30.00") + paid("KSH-2", "9.00")), "60.00"))
    assert [(line.end_to_end, line.amount) for line in statement.lines] == [("", -4000)]


def test_a_pending_entry_moves_nothing() -> None:
    (statement,) = read(page(entry("40.00", status="<Sts><Cd>PDNG</Cd></Sts>")))
    assert statement.lines == ()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (page(entry("40.00"), "61.00"), r"give 60.00, but the closing balance says 61.00"),
        (page(entry("40.001"), "60.00"), "no amount"),
        (page(entry("4e1"), "60.00"), "no amount"),
        (page(entry("-40.00"), "140.00"), "a sign of its own"),
        (page(entry("40.00", status=""), "60.00"), "without status"),
        (page(entry("40.00").replace("IDR", "USD"), "60.00"), "a line in USD on an account in IDR"),
        (page(entry("40.00").replace("DBIT", "MINUS"), "60.00"), "neither credit nor debit"),
        (page(entry("40.00").replace("2026-11-18", "18/11/2026"), "60.00"), "no date"),
        (page().replace(b"CLBD", b"CLAV"), "0 balances of type CLBD"),
        (page().replace(b"<Id>0099001122</Id>", b""), "names no account"),
        (page()[:-20], "no well-formed XML"),
        (b"<html/>", "no camt.053"),
        (page().replace(b"S1", b"S" * 81), "id of over 80 characters"),
        (page(entry("40.00").replace("B7", "B" * 10_001), "60.00"), "text of over 10000 characters"),
    ],
)
def test_a_broken_file_is_refused_whole_with_line_and_reason(content: bytes, reason: str) -> None:
    with pytest.raises(StatementRefused, match=reason) as refused:
        read(content)
    assert refused.value.line > 0


def test_a_file_that_would_read_other_files_or_grow_without_end_is_refused() -> None:
    for declaration in (
        b'<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/hostname">]>',
        b'<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY x "&a;&a;&a;&a;&a;&a;">]>',
    ):
        content = page().replace(b"?>", b"?>" + declaration, 1).replace(b"<Id>S1</Id>", b"<Id>&x;</Id>")
        with pytest.raises(StatementRefused, match="document type"):
            read(content)


def test_a_declaration_in_another_encoding_is_refused_too() -> None:
    declared = page().replace(b"?>", b'?><!DOCTYPE d [<!ENTITY x "y">]>', 1).decode()
    content = declared.replace('encoding="UTF-8"', 'encoding="UTF-7"').encode("utf-7")
    with pytest.raises(StatementRefused):
        read(content)
    with pytest.raises(StatementRefused):
        read(declared.replace("UTF-8", "UTF-16").encode("utf-16"))


def test_a_file_over_the_limit_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(StatementTooLarge, match=str(FILE_BYTES_MAX)):
        read(b"<" * (FILE_BYTES_MAX + 1))


def test_a_file_is_named_by_its_sha256() -> None:
    assert reading.digest(b"").startswith("e3b0c44298fc1c14")
