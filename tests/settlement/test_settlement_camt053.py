"""camt.053: what banks write is read, and anything that is not exactly a statement is refused with its line."""

from __future__ import annotations

import resource
import time
import tracemalloc
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hebat.demo import statements as bank_writer
from keys.money import Sen
from settlement.errors import SchemaBroken, StatementRefused, StatementTooLarge
from settlement.statements import camt, reading
from settlement.statements.reading import read
from settlement.statements.schemas import Schemas
from tests.settlement.town import DATE

if TYPE_CHECKING:
    from pathlib import Path

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


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("2026-11-18T16:59:59Z", "2026-11-18"),
        ("2026-11-18T17:00:00Z", "2026-11-19"),
        ("2026-11-18T17:30:00.5+00:00", "2026-11-19"),
        ("2026-11-19T00:30:00+08:00", "2026-11-18"),
        ("2026-11-19T00:00:00+07:00", "2026-11-19"),
        ("2026-11-18T23:59:59", "2026-11-18"),
    ],
)
def test_a_moment_of_another_offset_is_the_citys_day(told: str, meant: str) -> None:
    entries = entry("10.00", paid("R1", "10.00")).replace("2026-11-19T01:00:00+07:00", told)
    (statement,) = read(page(entries, "90.00"))
    assert [one.value_date for one in statement.lines] == [date.fromisoformat(meant)]


@pytest.mark.parametrize(
    "told",
    [
        "2026-11-18T25:00:00Z",
        "2026-11-18 at noon",
        "soon",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:00:00-07:00",
    ],
)
def test_a_moment_that_is_none_is_refused(told: str) -> None:
    entries = entry("10.00").replace("2026-11-19T01:00:00+07:00", told)
    with pytest.raises(StatementRefused, match="is no date in ValDt"):
        read(page(entries, "90.00"))


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


@given(
    opening=st.integers(-(10**14), 10**14), movements=MOVEMENTS, version=st.sampled_from(["02", "04", "08"])
)
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


def test_law_10_a_file_over_the_limit_is_refused_before_it_is_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "FILE_BYTES_MAX", 100)
    with pytest.raises(StatementTooLarge, match="101 bytes: 100 are allowed"):
        read(b"<" * 101)


def test_law_10_more_entries_than_a_statement_may_have_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camt, "LINES_MAX", 2)
    assert len(read(page(entry("1.00") * 2, "98.00"))[0].lines) == 2
    with pytest.raises(StatementTooLarge, match="over 2 lines"):
        read(page(entry("1.00") * 3, "97.00"))


@pytest.mark.parametrize("bomb", ["billion", "depth", "attribute"])
def test_xml_that_would_eat_memory_is_refused_at_once(bomb: str) -> None:
    names = [f"e{number}" for number in range(12)]
    entities = "".join(f'<!ENTITY {a} "{f"&{b};" * 10}">' for a, b in pairwise([*names, "x"]))
    content = {
        "billion": f'<?xml version="1.0"?><!DOCTYPE d [{entities}]><Document>&e0;</Document>'.encode(),
        "depth": page().replace(b"<Id>S1</Id>", b"<a>" * 100_000),
        "attribute": page().replace(b"<Id>S1</Id>", b'<Id a="' + b"x" * 11_000_000 + b'">S1</Id>'),
    }[bomb]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    with pytest.raises(StatementRefused):
        read(content)
    assert time.process_time() - began < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes


def test_room_does_not_grow_with_the_markup_around_the_entries() -> None:
    padded = entry("0.01", "<TxDtls><RmtInf>" + "<Strd/>" * 200 + "</RmtInf></TxDtls>")
    content = page(padded * 2_000, "80.00")
    tracemalloc.start()
    (statement,) = read(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(statement.lines) == 2_000
    assert peak < len(content)


@pytest.fixture
def schemas(data: Path) -> Schemas:
    return Schemas(data / "xsd")


def test_a_document_that_its_schema_refuses_is_refused_with_its_line(schemas: Schemas) -> None:
    movement = bank_writer.Movement(Sen(5), "", "x", "B")
    account = bank_writer.Account("BNI", "0099001122", DATE, 7, Sen(0), [movement])
    valid = bank_writer.camt053(account, "08")
    assert camt.read(valid, schemas).remarks == ()
    wrong = valid.replace(b"<Ccy>IDR</Ccy>", b"<Ccy>rupiah</Ccy>")
    with pytest.raises(StatementRefused, match="not valid against the schema: Element 'Ccy'") as refused:
        camt.read(wrong, schemas)
    assert refused.value.line == wrong[: wrong.index(b"rupiah")].count(b"\n") + 1


def test_a_document_without_its_schema_at_hand_is_read_and_says_so(tmp_path: Path) -> None:
    (remark,) = camt.read(page(), Schemas(tmp_path)).remarks
    assert remark.text == "not held against its schema: camt.053.001.08.xsd is not at hand"
    (tmp_path / "camt.053.001.08.xsd").write_text("<none/>")
    with pytest.raises(SchemaBroken, match=r"camt.053.001.08.xsd is no schema"):
        camt.read(page(), Schemas(tmp_path))


def test_a_notification_is_read_as_notices_and_moves_nothing() -> None:
    content = page(entry("40.00", paid("KSH-1", "40.00")))
    for old, new in (
        (b"camt.053", b"camt.054"),
        (b"BkToCstmrStmt", b"BkToCstmrDbtCdtNtfctn"),
        (b"Stmt>", b"Ntfctn>"),
    ):
        content = content.replace(old, new)
    told = camt.read(content)
    assert (told.statements, told.format) == ((), "camt.054.001.08")
    assert [line.end_to_end for line in told.notices[0].lines] == ["KSH-1"]


def test_a_file_is_named_by_its_sha256() -> None:
    assert reading.digest(b"").startswith("e3b0c44298fc1c14")
