"""Decoders of `terminals`: bundles, tariffs, GTFS feeds, what the ledger answers, the outbox."""

from __future__ import annotations

import base64
import io
import json
import sqlite3
import zipfile
from typing import TYPE_CHECKING, Any, Final, cast

import cbor2
import httpx2

from card.batch import digest
from hebat.errors import InputRefused
from hebat.fares.tariffs import read_tariff
from keys.clock import Day
from keys.errors import IdentityError
from keys.handout import CONTENT_TYPE as HANDED_OUT
from keys.identity import TerminalRole
from keys.money import Rupiah
from keys.vault import Role
from terminals import enrolment, handout, loading, opening
from terminals.batches import PendingBatch
from terminals.bundles import contents, fetch, hotlist
from terminals.bundles.contents import Limits
from terminals.bundles.hotlist import NOBODY, Hotlist
from terminals.bundles.kept import KeptBundles, Trust
from terminals.errors import (
    BundleRefused,
    EnrolmentDenied,
    FeedWrong,
    OutboxError,
    TariffWrong,
    TerminalError,
)
from terminals.fares import codec, flat_tariff
from terminals.gtfs.importing import import_tariff
from terminals.outbox import Outbox
from terminals.upload import Link
from tests.fuzz import world
from tests.fuzz.trial import Decoder
from tests.terminals.feeds import V1, V2

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_FLAT: Final = flat_tariff("kota-1", Day(20_500), Rupiah(3_500), Rupiah(1_000), 120, 3)


def _tariffs() -> Sequence[bytes]:
    return [
        codec.encode(_FLAT),
        codec.encode(import_tariff(_feed_file(V2))),
        codec.encode(import_tariff(_feed_file(V1))),
    ]


def _flat() -> Sequence[bytes]:
    told = {
        "name": "kota",
        "valid_from": 20_500,
        "full_fare": 3_500,
        "concession_fare": 1_000,
        "transfer_minutes": 120,
        "passback_minutes": 3,
    }
    return [cbor2.dumps(told, canonical=True)]


def _zipped(files: Mapping[str, str], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", how) as out:
        for name, text in files.items():
            out.writestr(name, text)
    return made.getvalue()


def _feed_file(files: Mapping[str, str]) -> Path:
    path = world.folder() / "seed.zip"
    path.write_bytes(_zipped(files))
    return path


def _feed_of_text(data: bytes) -> object:
    """One file of a feed is the input, behind a byte that says which; the others are good."""
    names = sorted(V2)
    which = names[(data or b"\0")[0] % len(names)]
    place = world.folder() / "feed"
    place.mkdir(exist_ok=True)
    for name, text in V2.items():
        (place / name).write_bytes(data[1:] if name == which else text.encode())
    return import_tariff(place)


def _feed_texts() -> Sequence[bytes]:
    return [bytes((at,)) + V2[name].encode() for at, name in enumerate(sorted(V2))]


def _link(answer: bytes, status: int = 200) -> Link:
    def handle(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, content=answer, headers={"Content-Type": "application/json"})

    client = httpx2.Client(transport=httpx2.MockTransport(handle), base_url="http://ledger")
    return Link(client, world.TERMINAL, world.KEY.sign, world.PUBLIC, world.Stopped(), attempts=1)


def _answer(read: Callable[[Link, Any], object]) -> Callable[[bytes], object]:
    """What a terminal makes of an answer's JSON."""
    link = _link(b"{}")

    def decode(data: bytes) -> object:
        try:
            told = json.loads(data)
        except (ValueError, RecursionError):
            return None
        return read(link, told)

    return decode


def _receipt(*fields: Any) -> str:
    return base64.b64encode(
        world.sealed(cbor2.dumps([world.TERMINAL, 1, 1, bytes(32), *fields]), "application/x")
    ).decode()


def _steps() -> Sequence[bytes]:
    done = {
        "colour": "green",
        "reason": "loaded",
        "detail": "",
        "sequence": 5,
        "amount": 50_000,
        "balance": 60_000,
        "receipt": _receipt(9),
    }
    told = [
        {"session": "ab" * 16, "step": 1, "apdus": ["905a000003485342", "00"], "outcome": None},
        {"session": "", "step": 2, "apdus": [], "outcome": done},
    ]
    return [json.dumps(one).encode() for one in told]


def _batch_answers() -> Sequence[bytes]:
    receipt = world.sealed(cbor2.dumps([world.TERMINAL, 1, 1, digest(b"body"), 9]), "application/x")
    return [
        json.dumps(
            {"receipt": base64.b64encode(receipt).decode(), "results": [{"sequence": 1, "result": "posted"}]}
        ).encode()
    ]


def _marks(data: bytes) -> object:
    place = world.folder() / "kept"
    place.mkdir(exist_ok=True)
    (place / "in-force").write_bytes(data)
    return KeptBundles(place, Trust(bytes(8), world.PUBLIC, "kiosk"))


def _trust(data: bytes) -> object:
    place = world.folder() / "trusting"
    place.mkdir(exist_ok=True)
    (place / opening.TRUST_FILE).write_bytes(data)
    return opening._bundles(place, TerminalRole.KIOSK)


def _enrolled() -> Sequence[bytes]:
    told = {
        "certificate": world.certificate().decode(),
        "authority": world.authority().root_certificate().decode(),
        "ledger_key": world.PUBLIC.hex(),
    }
    return [json.dumps(told).encode()]


def _keys(data: bytes) -> object:
    """Keys that whoever holds the ledger's key signed."""
    link, signed = _link(b"{}"), world.sealed(data, HANDED_OUT)
    return handout._sealed(link, {"handout": base64.b64encode(signed).decode()}, bytes(32))


def _outbox_file(data: bytes) -> object:
    path = world.folder() / "outbox.sqlite"
    for beside in world.folder().glob("outbox.sqlite-*"):
        beside.unlink()
    path.write_bytes(data)
    outbox = Outbox(path)
    try:
        return outbox.waiting
    finally:
        outbox.close()


def _outboxes() -> Sequence[bytes]:
    path = world.folder() / "made.sqlite"
    path.unlink(missing_ok=True)
    outbox = Outbox(path)
    outbox.next_request()
    outbox.close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return [path.read_bytes()]


class _Told:
    """A source of bundles that answers one thing."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def get(self, _path: str, _query: Mapping[str, str], _bytes_max: int) -> bytes | None:
        return self._data


class _None:
    """A terminal that has no bundles."""

    audience = "kiosk"


def _newest(data: bytes) -> object:
    return fetch._newest(cast("KeptBundles", _None()), _Told(data))


DECODERS: Final = [
    Decoder("tariff", codec.decode, TariffWrong, _tariffs, again=codec.encode),
    Decoder("tariff of values", codec.decode, TariffWrong, _tariffs, "cbor"),
    Decoder("tariff of a bundle", lambda data: contents.decode_tariff(data, 7), BundleRefused, lambda: [*_tariffs(), *_flat()], "cbor"),
    Decoder("limits", contents.decode_limits, BundleRefused, lambda: [contents.encode_limits(Limits()), contents.encode_limits(Limits(hotlist_hours_max=5))], "cbor"),
    Decoder("calendar", contents.decode_calendar, BundleRefused, lambda: [contents.encode_calendar(frozenset({Day(20_500), Day(20_501)}))], "cbor"),
    Decoder("key versions", contents.decode_keys, BundleRefused, lambda: [contents.encode_keys({Role.DEBIT: (1, 2), Role.READ: (1,)})], "cbor"),
    Decoder("hotlist", lambda data: hotlist.apply(NOBODY, data), BundleRefused, lambda: [hotlist.encode_full(Hotlist.of([5, 9, 1 << 50]))]),
    Decoder("hotlist of values", lambda data: hotlist.apply(NOBODY, data), BundleRefused, lambda: [hotlist.encode_full(Hotlist.of([5, 9, 1 << 50]))], "cbor"),
    Decoder("hotlist's array", Hotlist.from_bytes, BundleRefused, lambda: [Hotlist.of([5, 9, 1 << 50]).to_bytes()], again=lambda found: found.to_bytes()),
    Decoder("newest bundles", _newest, TerminalError, lambda: [b'{"hotlist": 7, "tariff": 3, "time": 1795000000000}'], "json"),
    Decoder("GTFS feed, zipped", world.on_disk("feed.zip", import_tariff), FeedWrong, lambda: [_zipped(V2), _zipped(V1), _zipped(V1, zipfile.ZIP_STORED)], slow=True),
    Decoder("GTFS feed, a file of it", _feed_of_text, FeedWrong, _feed_texts, slow=True),
    Decoder("tariff or feed", world.on_disk("given.tariff", read_tariff), InputRefused, lambda: [*_tariffs(), _zipped(V1)], slow=True),
    Decoder("answer to a batch", _answer(lambda link, told: link._proven(PendingBatch(1, 1, b"body"), told)), TerminalError, _batch_answers, "json"),
    Decoder("answer to a load", _answer(lambda link, told: loading._step(link, told, 1)), TerminalError, _steps, "json"),
    Decoder("receipt", lambda data: _link(b"").receipted(data, 1), TerminalError, lambda: [base64.b64decode(_receipt(9))]),
    Decoder("receipt of values", lambda data: _link(b"").receipted(world.sealed(data, "x"), 1), TerminalError, lambda: [cbor2.dumps([world.TERMINAL, 1, 1, bytes(32), 9])], "cbor"),
    Decoder("answer to an enrolment", _answer(lambda _, told: enrolment._checked(*enrolment._told(told)[:2], world.TERMINAL)), EnrolmentDenied, _enrolled, "json"),
    Decoder("keys from the ledger", _keys, TerminalError, lambda: [cbor2.dumps([world.TERMINAL, bytes(32), b"sealed"])], "cbor"),
    Decoder("bundles in force", _marks, (), lambda: [cbor2.dumps({"hotlist": 3})], "cbor"),
    Decoder("whom a terminal trusts", _trust, TerminalError, lambda: [cbor2.dumps([bytes(8), world.PUBLIC])], "cbor"),
    Decoder("certificate for a device", lambda data: world.identity().install(data), IdentityError, lambda: [world.certificate()]),
    Decoder("outbox", _outbox_file, OutboxError, _outboxes, slow=True),
]  # fmt: skip
