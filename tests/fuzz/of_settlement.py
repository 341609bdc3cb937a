"""Decoders of `settlement`: what banks send (statements, reports, SNAP), and what staff write (mappings, rules, fees)."""

from __future__ import annotations

import io
import json
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import xlsxwriter
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hebat.demo.statements import Account, Movement, camt053, mt940
from keys.money import Sen
from settlement import fees
from settlement.banks.line import read_answer
from settlement.errors import (
    BankAnswerInvalid,
    FeeTableInvalid,
    ReportRefused,
    RuleRefused,
    RulesInvalid,
    StaffKeyWrong,
    StaffRefused,
    StatementRefused,
)
from settlement.matching import rules
from settlement.participants import MerchantClass
from settlement.payments import city, pain002
from settlement.payments.table import template_of
from settlement.snap import fields, moments, signatures
from settlement.snap.calls import Reply
from settlement.snap.codes import ResponseCode, Service
from settlement.staff.roles import read_roles
from settlement.staff.seal import Seal
from settlement.statements.dialects import dialect_of
from settlement.statements.mapped.mapping import mapping_of
from settlement.statements.reading import Reader
from settlement.statements.schemas import PREFIX, Schemas
from tests.fuzz import world
from tests.fuzz.trial import Decoder
from tests.settlement.mappings import KLIKBCA, MANDIRI_CMS, MANDIRI_MCM
from tests.settlement.reports import report
from tests.shared_data import shared_data

if TYPE_CHECKING:
    from collections.abc import Sequence

_DAY: Final = date(2026, 11, 18)
_ACCOUNT: Final = Account(
    "0009", "0099001122", _DAY, 1, Sen(1_000_000_00),
    (Movement(Sen(-25_000_00), "KSH-20261118-0009-0001", "setoran", "B000001"), Movement(Sen(3_500), "", "biaya", "B000002")),
)  # fmt: skip
_TABLE: Final = {"header": ["Tanggal", "Keterangan", "Saldo"], "columns": {"booking_date": "Tanggal", "text": "Keterangan", "balance": "Saldo", "amount": 3}, "account": "0099001122"}  # fmt: skip
_MAPPINGS: Final = tuple(
    mapping_of(name, 1, told) for name, told in (("x", _TABLE), ("cms", MANDIRI_CMS), ("mcm", MANDIRI_MCM), ("klikbca", KLIKBCA))
)  # fmt: skip
_ANY: Final = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="{0}" elementFormDefault="qualified"><xs:element name="Document"><xs:complexType>
<xs:sequence><xs:any namespace="{0}" processContents="skip"/></xs:sequence></xs:complexType></xs:element></xs:schema>"""
"""A schema that looks at the outermost elements only."""
_READER: Final = Reader(mappings=_MAPPINGS)
_INDONESIAN: Final = Reader(dialect=lambda _account: dialect_of("BTANIDJA"), mappings=_MAPPINGS)


@cache
def _schemas() -> Schemas:
    place = world.folder() / "xsd"
    place.mkdir()
    for name in (
        "camt.053.001.02",
        "camt.053.001.04",
        "camt.053.001.08",
        "camt.054.001.08",
        "pain.002.001.10",
    ):
        (place / f"{name}.xsd").write_text(_ANY.format(PREFIX + name), encoding="utf-8")
    return Schemas(place)


def _shared(folder: str, *suffixes: str) -> list[bytes]:
    """Real files of banks, where they are beside the checkout."""
    place = shared_data()
    found = sorted((place / "statements" / folder).iterdir()) if place else []
    return [path.read_bytes() for path in found if path.suffix in suffixes]


def _camt() -> Sequence[bytes]:
    return (
        [camt053(_ACCOUNT, version) for version in ("02", "04", "08")]
        + [_notice()]
        + _taken(_shared("camt", ".xml"))
    )


def _notice() -> bytes:
    whole = (
        camt053(_ACCOUNT, "08")
        .replace(b"camt.053", b"camt.054")
        .replace(b"BkToCstmrStmt", b"BkToCstmrDbtCdtNtfctn")
    )
    return whole.replace(b"<Stmt>", b"<Ntfctn>").replace(b"</Stmt>", b"</Ntfctn>")


def _taken(files: Sequence[bytes]) -> list[bytes]:
    """Those that are read."""
    found = []
    for one in files:
        try:
            _READER.read(one)
        except StatementRefused:
            continue
        found.append(one)
    return found


def _tables() -> Sequence[bytes]:
    plain = b'Tanggal,Keterangan,Mutasi,,Saldo\n18/11/2026,setoran,"1,000.00",,"5,000.00"\n19/11/2026,biaya,-10.50,,"4,989.50"\n'
    return [plain, *_taken(_shared("csv-text", ".csv", ".txt"))]


def _sheets() -> Sequence[bytes]:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True})
    sheet = book.add_worksheet("Mutasi")
    sheet.write_row(0, 0, ["Tanggal", "Keterangan", "Mutasi", "", "Saldo"])
    sheet.write_row(1, 0, ["18/11/2026", "setoran", 1000.0, "", 5000.0])
    book.close()
    return [file.getvalue()]


def _reports() -> Sequence[bytes]:
    payments = {"KSH-20261118-0009-0001": ("RJCT", "AC01"), "KSH-20261118-0009-0002": ("ACSC", "")}
    return [
        report("KSH-20261118-0009", payments, group="PART"),
        report("KSH-20261118-0009", blocks={"KSH-20261118-0009-01": "ACCP"}),
    ]


def _report(data: bytes) -> object:
    told = pain002.read(data)
    return pain002.window_of(told)


def _answers() -> Sequence[bytes]:
    token = {
        "responseCode": "2007300",
        "responseMessage": "Successful",
        "accessToken": "abc",
        "tokenType": "BearerToken",
        "expiresIn": "900",
    }
    status = {
        "responseCode": "2003600",
        "responseMessage": "Successful",
        "originalPartnerReferenceNo": "1",
        "latestTransactionStatus": "00",
        "amount": {"value": "25000.00", "currency": "IDR"},
    }
    return [
        json.dumps(one).encode()
        for one in (token, status, {"responseCode": "4031814", "responseMessage": "Insufficient Funds"})
    ]


def _answered(data: bytes) -> object:
    """As the answer of whatever service and status it claims to be."""
    body = fields.read_body(data)
    code = ResponseCode.parse(body.get("responseCode")) if body else None
    service = Service(code.service) if code is not None and code.service in set(Service) else Service.STATUS
    found = read_answer(service, Reply(code.status if code else 200, data, {}))
    return {name: fields.sen_of(value) for name, value in found.body.items()}


def _asked(data: bytes) -> object:
    body = fields.read_body(data)
    return (
        None
        if body is None
        else [fields.fault(fields.REQUESTS[service], body) for service in fields.REQUESTS]
    )


def _json(data: bytes) -> Any:
    """What stands in a file of JSON; nothing where it is none, which `draft of settlement` is about."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _rails() -> Sequence[bytes]:
    told = {
        "rail": "BI_FAST",
        "from": "2027-01-01",
        "until": None,
        "fee": "2900.00",
        "over": "0.00",
        "at_most": "1000000000.00",
        "opens": "06:30",
        "closes": "16:45",
        "bank_days_only": True,
    }
    return [json.dumps(told).encode()]


def _mappings() -> Sequence[bytes]:
    return [json.dumps(one).encode() for one in (_TABLE, KLIKBCA, MANDIRI_CMS)]


def _templates() -> Sequence[bytes]:
    columns = [
        {"title": "Ref", "value": "reference"},
        {"title": "Rek", "value": "account"},
        {"title": "Jml", "value": "amount"},
        {"title": "X", "fixed": "1"},
    ]
    return [
        json.dumps(
            {"columns": columns, "delimiter": ";", "header": True, "rails": {"BI_FAST": "BIF"}}
        ).encode()
    ]


def _fee_table() -> Sequence[bytes]:
    rows = f"{','.join(fees.COLUMNS)}\n" + "".join(
        f"{one.value},2026-01-01,0.30,0,100000,0,0\n" for one in MerchantClass
    )
    return [rows.encode()]


_RSA: Final = (
    rsa.generate_private_key(65537, 2048)
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)


def _signed(data: bytes) -> object:
    text = data.decode("latin-1")
    return (
        signatures.minified(data),
        signatures.is_symmetric(b"secret", data, text),
        signatures.is_asymmetric(_RSA, data, text),
    )


_SEAL: Final = Seal(bytes(32))


def _sealed_authenticators() -> list[bytes]:
    """In the form of today, and as before forms had numbers."""
    text, nonce = b"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", bytes(12)
    return [_SEAL.seal("maker", text.decode()), nonce + AESGCM(bytes(32)).encrypt(nonce, text, b"maker")]


DECODERS: Final = [
    Decoder("MT940", _READER.read, StatementRefused, lambda: [mt940(_ACCOUNT), *_taken(_shared("mt940", ".sta", ".txt"))]),
    Decoder("MT940 of an Indonesian bank", _INDONESIAN.read, StatementRefused, lambda: [mt940(_ACCOUNT), *_taken(_shared("mt940", ".txt"))]),
    Decoder("camt", _READER.read, StatementRefused, _camt),
    Decoder("camt, held against schemas", lambda data: Reader(_schemas()).read(data), StatementRefused, _camt),
    Decoder("table", _READER.read, StatementRefused, _tables),
    Decoder("sheet", _READER.read, StatementRefused, _sheets, slow=True),
    Decoder("pain.002", _report, ReportRefused, _reports),
    Decoder("pain.002 against a schema", lambda data: pain002.schema_says(data, _schemas()), (), _reports),
    Decoder("SNAP answer", _answered, BankAnswerInvalid, _answers, "json"),
    Decoder("SNAP request", _asked, (), _answers, "json"),
    Decoder("SNAP body", fields.read_body, (), _answers),
    Decoder("SNAP signature", _signed, (), _answers),
    Decoder("SNAP time", world.as_text(moments.read), (), lambda: [b"2024-03-05T10:37:16+07:00", b"2024-03-05T03:37:16.123Z"]),
    Decoder("response code", world.as_text(ResponseCode.parse), (), lambda: [b"4031714"]),
    Decoder("mapping", lambda data: mapping_of("x", 1, _json(data)), RuleRefused, _mappings, "json"),
    Decoder("template of payments", lambda data: template_of(_json(data)), RuleRefused, _templates, "json"),
    Decoder("rails of a city", lambda data: city.rail_rows(_json(data)), RuleRefused, _rails, "json"),
    Decoder("rules of matching", world.as_text(rules.parse), RulesInvalid, lambda: [rules.SHIPPED.body.encode()]),
    Decoder("rules of matching, values", world.as_text(rules.parse), RulesInvalid, lambda: [rules.SHIPPED.body.encode()], "json"),
    Decoder("fee table", world.as_text(fees.read_table), FeeTableInvalid, _fee_table),
    Decoder("sealed authenticator", lambda data: _SEAL.opened("maker", data), StaffKeyWrong, _sealed_authenticators),
    Decoder("roles", world.as_text(read_roles), StaffRefused, lambda: [b"maker,checker", b"auditor"]),
]  # fmt: skip
