"""What a terminal's identity costs: a batch of 1,000 taps proven (certificate, signature, MACs), beside the bare primitives.

Run with `pytest tests/benchmarks --benchmark-only`. Compare figures of one run only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from card.batch import RECORDS_MAX, TapRecord, decode_batch, decode_frame
from card.layout import TapKind
from hebat.folder import Folder
from keys import envelope
from keys.cmac import aes_cmac
from keys.identity import read_certificate
from ledger.intake.assess import Assessor
from ledger.intake.columnar.columns import Columns
from tests.ledger.desk import open_scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_benchmark.fixture import BenchmarkFixture

    from hebat.wiring import City

CARDS = 20
GROUP = "prove a batch of 1,000 taps"


class Sent:
    """A full batch on its way, and the city that proves it."""

    def __init__(self, city: City, body: bytes) -> None:
        self.city = city
        self.body = body
        self.records = [
            one for one in decode_batch(envelope.parse(body).payload).records if isinstance(one, TapRecord)
        ]


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sent]:
    scene = open_scene(Folder(tmp_path_factory.mktemp("bench") / "city"), fresh=True)
    with scene.city:
        cards = [scene.card(loaded=50_000) for _ in range(CARDS)]
        desk = scene.desk()
        for number in range(RECORDS_MAX):
            desk.tap(cards[number % CARDS], TapKind.FARE, 100)
        yield Sent(scene.city, desk.body())


def rounds(benchmark: BenchmarkFixture, measured: Callable[..., Any]) -> Any:
    return benchmark.pedantic(measured, rounds=5, warmup_rounds=1)  # type: ignore[no-untyped-call]


@pytest.mark.benchmark(group=GROUP)
def test_certificate_signature_rights_and_macs_by_columns(benchmark: BenchmarkFixture, sent: Sent) -> None:
    """All that the intake looks at before it writes."""
    city = sent.city

    def prove() -> int:
        message = envelope.parse(sent.body)
        certificate = city.registry.certificates(int.from_bytes(message.kid, "big"))[0]
        frame = decode_frame(message.verify(certificate.public_key))
        columns = Columns(frame.raws, frame.first_sequence)
        return int(columns.prove(certificate, city.registry.columns, city.vault).plain.sum())

    assert rounds(benchmark, prove) == RECORDS_MAX


@pytest.mark.benchmark(group=GROUP)
def test_certificate_signature_rights_and_macs_one_by_one(benchmark: BenchmarkFixture, sent: Sent) -> None:
    """The same for what is not plain; the certificate is read afresh, as after a start."""
    city = sent.city

    def prove() -> int:
        message = envelope.parse(sent.body)
        pem = city.registry.certificates(int.from_bytes(message.kid, "big"))[0].pem
        certificate = read_certificate(pem, city.root, city.clock.now())
        payload = message.verify(certificate.public_key)
        records, raws = decode_batch(payload).records, decode_frame(payload).raws
        assessor = Assessor(city.registry, city.vault)
        found = [assessor.assess(*one, certificate) for one in zip(records, raws, strict=True)]
        return sum(one.reason is None and not one.doubts for one in found)

    assert rounds(benchmark, prove) == RECORDS_MAX


@pytest.mark.benchmark(group=GROUP)
def test_the_bare_primitives(benchmark: BenchmarkFixture, sent: Sent) -> None:
    """The floor: one Ed25519 verification over the same bytes, and two CMACs a tap (session key, value) over the same inputs."""
    message = envelope.parse(sent.body)
    certificate = sent.city.registry.enrolled(1001)
    signed = envelope._to_be_signed(message._protected, message.payload)
    public = Ed25519PublicKey.from_public_bytes(certificate.public_key)

    def prove() -> int:
        public.verify(message._signature, signed)
        for record in sent.records:
            session = aes_cmac(bytes(16), bytes(32))
            aes_cmac(session, record.tmi)
        return len(sent.records)

    assert rounds(benchmark, prove) == RECORDS_MAX


@pytest.mark.benchmark(group="read a terminal's certificate")
def test_read_a_certificate(benchmark: BenchmarkFixture, sent: Sent) -> None:
    pem = sent.city.registry.enrolled(1001).pem
    assert benchmark(read_certificate, pem, sent.city.root).terminal == 1001
