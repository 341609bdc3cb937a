"""Decoders of `ledger`: QR codes, proofs, cursors, requests of terminals and partners, snapshots, exports, bulk files."""

from __future__ import annotations

import atexit
import base64
import hashlib
import json
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Final

import cbor2
import numpy as np
from fastapi.exceptions import RequestValidationError

from card.batch import decode_record, encode_record
from card.evidence import parse
from card.layout import card_number
from keys.clock import UnixMs, day_of
from keys.filevault import FileVault
from keys.money import Sen
from keys.ticket import ENROLMENT_CONTENT_TYPE
from ledger.books.api import read_account
from ledger.cardholder import words
from ledger.cardholder.sealing import FORMS, Form, Sealing, make_keys
from ledger.cardholder.views import Door, Views
from ledger.chart import purse
from ledger.clients.scopes import Client, Party
from ledger.engine import Engine
from ledger.enrolment import desk as enrolment
from ledger.errors import (
    AccountUnknown,
    BatchMalformed,
    ClientUnknown,
    CursorInvalid,
    CursorRefused,
    DatabaseDamaged,
    EnrolmentRefused,
    ExportDamaged,
    KeyMissing,
    OrderInvalid,
    ProofInvalid,
    QrRefused,
    WalletRefused,
)
from ledger.exports import frames, manifest
from ledger.exports.manifest import Manifest, Part
from ledger.exports.trying import Trial
from ledger.history.asked import Asked
from ledger.http import cursors
from ledger.http.api import problem_of_any, read_json
from ledger.intake.columnar import fields as f
from ledger.intake.columnar import reading
from ledger.intake.load_requests import parse_request
from ledger.orders.bodies import HoldAsked, OrderAsked
from ledger.orders.order import caller_of, wallet_of
from ledger.proofs import checkpoint, file, leaf
from ledger.proofs.checkpoint import Checkpoint
from ledger.proofs.file import Consistency, Inclusion
from ledger.proofs.leaf import Leaf, Opening, What
from ledger.qris import ber
from ledger.qris.code import CRC_HEAD, QrisCode
from ledger.qris.crc import crc
from ledger.qris.merchant import Tip, TipKind
from ledger.qris.presented import Presented, present
from ledger.qris.writing import Acquirer, Merchant, dynamic_code, static_code
from ledger.relay.session import asked_at, parse_step
from ledger.shifts.desk import _fields as read_question
from ledger.snapshots import form
from ledger.snapshots.form import Snapshot
from ledger.wallets.bulk import BulkFile
from ledger.wallets.qr import OUR_DOMAIN, read_payment
from tests.fuzz import world
from tests.fuzz.trial import Decoder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import polars as pl
    from pydantic import BaseModel

_KINDS: Final[dict[str, type]] = {"partition": int, "block": int, "ordinal": int, "body": bytes}
_SHOP: Final = Merchant(
    (Acquirer("ID.GO.SEMARANG.WWW", "936009990000000502", "502", "UMI"),), "ID1020304050607", "5499", "Lumpia Gang Lombok", "Kota Semarang", "50137", {},
)  # fmt: skip


_OURS: Final = Merchant((Acquirer(OUR_DOMAIN, "936009990000000502", "502", "UMI"),), "ID1020304050607", "5499", "Lumpia", "Semarang", "50137", {})  # fmt: skip


def _codes() -> Sequence[bytes]:
    made = (static_code(_SHOP), dynamic_code(_SHOP, Sen(2_500_000), "INV-1"))
    return [(one if isinstance(one, str) else one.text()).encode() for one in made]


def _with_checksum(data: bytes) -> object:
    body = data.decode("latin-1") + CRC_HEAD
    return QrisCode.read(body + crc(body))


def _presented() -> Sequence[bytes]:
    return [present("9360099900000005028", "Pemegang 1", b"4F7K2M9Q", "kartu.example").text().encode()]


@cache
def _checkpoint() -> Checkpoint:
    return Checkpoint(
        "kartu.example/1",
        1,
        _leaf().hash(),
        day_of(date(2026, 11, 18)),
        UnixMs(world.NOW),
        4,
        90,
        bytes(range(32)),
    )


def _signed_checkpoint() -> bytes:
    return _checkpoint().signed(world.PUBLIC, world.KEY.sign)


def _leaf() -> Leaf:
    card = Opening(bytes(16), bytes(7), 936_000_090_000_001, 3).commitment()
    return Leaf(What.TAP, 1, bytes(16), 20_775, 9, 2, bytes(32), -350_000, 100, 5, 1001, 7, card)


def _proofs() -> Sequence[bytes]:
    opening = Opening(bytes(16), bytes(7), 936_000_090_000_001, 3)
    signed = _signed_checkpoint()
    return [
        Inclusion(_leaf(), opening, 0, (), signed).encode(),
        Inclusion(_leaf(), None, 0, (), signed).encode(),
        Consistency(signed, signed, ()).encode(),
    ]


def _proven(data: bytes) -> object:
    """A proof in the one spelling that is taken, so that its values are what is looked at."""
    try:
        spelt = (json.dumps(json.loads(data), indent=1) + "\n").encode()
    except (ValueError, RecursionError):
        spelt = data
    return file.decode(spelt).check(world.PUBLIC)


def _loads() -> Sequence[bytes]:
    return [cbor2.dumps([bytes(7), 50_000, 1, world.NOW], canonical=True)]


def _refunds() -> Sequence[bytes]:
    return [cbor2.dumps([bytes(7), 0, 1, world.NOW, 1001, 4, "wrong-amount"], canonical=True)]


def _enrolment(payload: bytes) -> object:
    return enrolment._opened(world.sealed(payload, ENROLMENT_CONTENT_TYPE), ENROLMENT_CONTENT_TYPE, str)


def _manifests() -> Sequence[bytes]:
    part = Part("journal/2026-11-18/transfers-00001.parquet", "transfers", 3, 900, "ab" * 32)
    return [Manifest(manifest.FORMAT, 20, "parquet", True, 4, 90, "ab" * 32, (part,)).encode()]


def _read_manifest(path: Path) -> object:
    return manifest.read(path.parent)


@cache
def _parquet() -> bytes:
    path = world.folder() / "made.parquet"
    frames.write(frames.of_tuples([(1, 2, 3, b"x"), (4, 5, 6, b"y" * 90)], _KINDS), path, "parquet")
    return path.read_bytes()


_TRIAL: Final = Trial()
atexit.register(_TRIAL.__exit__, None, None, None)


def _read_parquet(path: Path) -> pl.DataFrame:
    """As an import reads it: first by a process that may die of it."""
    _TRIAL.look(path, "x")
    return frames.read(path, _KINDS, 2, "x")


def _snapshots() -> Sequence[bytes]:
    return list(form.chunks(form.encoded(Snapshot(Engine().keep(), 4, bytes(32)))))


def _snapshot(data: bytes) -> object:
    return form.decoded([data], hashlib.sha256(data).digest())


def _unpacked_snapshot(data: bytes) -> object:
    return _snapshot(b"".join(form.chunks(data)))


def _bodies() -> Sequence[bytes]:
    return [json.dumps(one).encode() for one in ({"card": str(card_number(9, 1)), "party": {"kind": "merchant", "number": 502}, "amount": 2_500_000},)]  # fmt: skip


class Said(Exception):
    """What a caller is told."""


def _asked(data: bytes, model: type[BaseModel]) -> object:
    """A body of JSON; what is wrong with it is told as a problem."""
    try:
        return read_json(data, model)
    except RequestValidationError as error:
        raise Said(problem_of_any(error).detail) from None


def _by_columns(data: bytes) -> object:
    """Records as the intake's kernel reads them; where it takes one, the plain decoders take the same."""
    raws = pieces(data)
    octets = np.frombuffer(b"".join(raws) + bytes(8), np.uint8)
    ends = np.cumsum([len(raw) for raw in raws], dtype=np.int64)
    starts = ends - np.array([len(raw) for raw in raws], np.int64)
    out, _ = reading.read(octets, starts, ends, 1)
    for row in np.flatnonzero(out[f.PLAIN]):
        record = decode_record(raws[row], 1 + int(row))
        parse(record.tmi)
        if (record.tmc, int(record.amount)) != (out[f.TMC, row], out[f.AMOUNT, row]):
            raise AssertionError(raws[row].hex())
    return out


def _raws() -> Sequence[bytes]:
    return [b"".join(len(raw).to_bytes(2, "big") + raw for raw in map(encode_record, world.records()))]


def pieces(data: bytes) -> list[bytes]:
    """Bytes in pieces, each with two bytes of length in front."""
    found, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 2], "big")
        found.append(data[at + 2 : at + 2 + length])
        at += 2 + length
    return found


@cache
def _sealing(*forms: int) -> Sealing:
    return Sealing(_holders_vault(), {number: Form(number) for number in forms or FORMS})


@cache
def _holders_vault() -> FileVault:
    made = FileVault.create(world.folder() / "holders.vault", "x", 16)
    make_keys(made)
    return made


def _seals() -> Sequence[bytes]:
    """One of each form."""
    return [_sealing(number).seal("holder", 7, b'{"name": "Tutik Wulandari"}') for number in FORMS]


_CLIENT: Final = Client("shop", frozenset())
_VIEWS: Final = Views(world.Stopped())

DECODERS: Final = [
    Decoder("QRIS code", world.as_text(QrisCode.read), QrRefused, _codes, again=lambda found: found.text().encode("latin-1")),
    Decoder("QRIS code with its checksum", _with_checksum, QrRefused, lambda: [one[:-8] for one in _codes()]),
    Decoder("payment by QR", world.as_text(read_payment), (QrRefused, WalletRefused), lambda: [dynamic_code(_OURS, Sen(2_500_000), "INV-1", Tip(TipKind.PERCENT, 70)).text().encode()]),
    Decoder("QRIS payload of a payer", world.as_text(Presented.read), QrRefused, _presented, again=lambda found: found.text().encode()),
    Decoder("QRIS payload, decoded", lambda data: Presented.read(base64.b64encode(data).decode()), QrRefused, lambda: [base64.b64decode(one) for one in _presented()]),
    Decoder("BER", ber.parse, QrRefused, lambda: [base64.b64decode(one) for one in _presented()], again=ber.encode),
    Decoder("checkpoint", lambda data: checkpoint.opened(data, world.PUBLIC), ProofInvalid, lambda: [_signed_checkpoint()]),
    Decoder("checkpoint's text", checkpoint.parsed, ProofInvalid, lambda: [_checkpoint().text().encode()], again=lambda found: found.text().encode()),
    Decoder("proof", file.decode, ProofInvalid, _proofs, again=lambda found: found.encode()),
    Decoder("proof of values", _proven, ProofInvalid, _proofs, "json"),
    Decoder("leaf", leaf.decode, ProofInvalid, lambda: [_leaf().encode()], again=lambda found: found.encode()),
    Decoder("load request", parse_request, BatchMalformed, _loads, "cbor"),
    Decoder("refund request", lambda data: parse_request(data, refund=True), BatchMalformed, _refunds, "cbor"),
    Decoder("step of a load", parse_step, BatchMalformed, lambda: [cbor2.dumps([bytes(16), 1, [b"\x91\x00", b"ab\x91\xaf"]])], "cbor"),
    Decoder("question what waits", asked_at, BatchMalformed, lambda: [cbor2.dumps([world.NOW])], "cbor"),
    Decoder("question for a shift", read_question, BatchMalformed, lambda: [cbor2.dumps([1, 9, world.NOW]), cbor2.dumps([1, 9, world.NOW, 1, 2])], "cbor"),
    Decoder("enrolment", _enrolment, EnrolmentRefused, lambda: [cbor2.dumps(["ABCD" * 4, world.identity().request()])], "cbor"),
    Decoder("cursor", world.as_text(lambda text: cursors.read("list", text, [int, str])), CursorRefused, lambda: [cursors.written("list", [7, "a"]).encode()]),
    Decoder("cursor of values", lambda data: cursors.read("list", base64.urlsafe_b64encode(data).decode().rstrip("="), [int, str]), CursorRefused, lambda: [base64.urlsafe_b64decode(cursors.written("list", [7, "ab"]) + "==")], "json"),
    Decoder("cursor of a statement", world.as_text(lambda text: Asked.read(text, 90)), CursorInvalid, lambda: [b"a-0-90-7", b"d-0-90-40"]),
    Decoder("account in an address", world.as_text(read_account), (RequestValidationError, AccountUnknown), lambda: [b"%d" % purse(9_360_000_900_000_012)]),
    Decoder("party", world.as_text(Party.read), ClientUnknown, lambda: [b"merchant:502", b"bank:9"]),
    Decoder("card of an order", world.as_text(wallet_of), OrderInvalid, lambda: [b"%d" % card_number(9, 1)]),
    Decoder("languages that a browser likes", world.as_text(lambda text: words.chosen("", text)), (), lambda: [b"jv, id;q=0.8, en;q=0.5, *;q=0.1", b"zh-Hans-CN"]),
    Decoder("Idempotency-Key", world.as_text(lambda text: caller_of(_CLIENT, text, b"body")), KeyMissing, lambda: [b"f47ac10b-58cc-4372-a567-0e02b2c3d479", b'"abc"']),
    Decoder("order", lambda data: _asked(data, OrderAsked), Said, _bodies, "json"),
    Decoder("hold", lambda data: _asked(data, HoldAsked), Said, _bodies, "json"),
    Decoder("records by columns", _by_columns, (), _raws),
    Decoder("sealed data of a holder", lambda data: _sealing().open("holder", 7, data), DatabaseDamaged, _seals),
    Decoder("view of a page", world.as_text(_VIEWS.read), (), lambda: [_VIEWS.made(7, Door.PIN).encode()]),
    Decoder("manifest", world.on_disk(manifest.NAME, _read_manifest), ExportDamaged, _manifests, "json"),
    Decoder("Parquet", world.on_disk("x.parquet", _read_parquet), ExportDamaged, lambda: [_parquet()], slow=True),
    Decoder("snapshot", _snapshot, DatabaseDamaged, _snapshots),
    Decoder("snapshot, unpacked", _unpacked_snapshot, DatabaseDamaged, lambda: [form.encoded(Snapshot(Engine().keep(), 4, bytes(32)))], slow=True),
    Decoder("bulk file", BulkFile.read, WalletRefused, lambda: [b'card,rupiah,text\r\n%d,25000,uang saku\r\n%d,0.50,"a,b"\r\n' % (card_number(9, 1), card_number(9, 2))]),
]  # fmt: skip
