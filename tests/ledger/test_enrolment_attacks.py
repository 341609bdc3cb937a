"""Becoming a terminal over real HTTP, and everybody who should not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cbor2
import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from card.layout import TapKind
from hebat.application import application
from hebat.demo import town
from hebat.fleet import Post
from hebat.folder import Folder
from hebat.serving import LoopbackServer
from hebat.wiring import City
from keys import envelope
from keys.clock import UnixMs
from keys.errors import IdentityError
from keys.identity import TerminalIdentity
from keys.rights import Right, Rights, TerminalRole
from keys.ticket import ENROLMENT_CONTENT_TYPE, RENEWAL_CONTENT_TYPE, Ticket
from ledger.enrolment.desk import ATTEMPTS_MAX, INVITATION_HOURS, invite
from ledger.errors import EnrolmentRefused
from terminals.enrolment import AUTHORITY_FILE, Device, Renewal
from terminals.errors import CertificateEnded, EnrolmentDenied, Offline
from tests.founding import found
from tests.ledger.desk import OPERATOR, Desk, Scene

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
BUS = Post(1001, TerminalRole.VALIDATOR, OPERATOR, routes=(1,))


@pytest.fixture
def client(scene: Scene) -> Iterator[httpx2.Client]:
    with (
        LoopbackServer(application(scene.city)) as server,
        httpx2.Client(base_url=server.address, timeout=60) as made,
    ):
        yield made


def wait(scene: Scene, ms: int) -> None:
    scene.clock.move_to(UnixMs(scene.clock.now() + ms))


def invited(scene: Scene, post: Post = BUS) -> Ticket:
    return invite(scene.city.ledger.database, scene.city.root, post.invitation, scene.clock.now())


def device(scene: Scene, name: str = "bus") -> Device:
    return Device(scene.folder / name)


def post_body(
    client: httpx2.Client, content: object, key: Ed25519PrivateKey, kind: str, number: int
) -> httpx2.Response:
    body = envelope.seal(
        cbor2.dumps(content), kid=number.to_bytes(4, "big"), sign=key.sign, content_type=kind
    )
    path = "enrolment" if kind == ENROLMENT_CONTENT_TYPE else "renewal"
    return client.post(f"/v1/terminals/{path}", content=body, headers={"Content-Type": "application/cose"})


def request_for(key: Ed25519PrivateKey, rights: Rights | None = None) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    if rights is not None:
        builder = builder.add_extension(rights.extension(), critical=True)
    return builder.sign(key, None).public_bytes(Encoding.PEM)


def test_a_code_makes_a_terminal_whose_batches_are_posted(scene: Scene, client: httpx2.Client) -> None:
    bus = device(scene)
    certificate = bus.enrol(client, Ticket.read(str(invited(scene)).lower()))
    assert (certificate.terminal, certificate.role, certificate.owner) == (
        1001,
        TerminalRole.VALIDATOR,
        OPERATOR,
    )
    assert certificate.rights == Rights(frozenset({Right.FARE}), certificate.rights.daily_limit, (1,))
    desk = Desk(scene.city, 1001, bus.identity)
    desk.tap(scene.card(loaded=50_000), TapKind.FARE, 3_500)
    assert desk.send().results[0]["result"] == "posted"


def test_a_code_is_worth_one_key(scene: Scene, client: httpx2.Client) -> None:
    ticket = invited(scene)
    first = device(scene).enrol(client, ticket)
    assert device(scene).enrol(client, ticket) == first  # the answer was lost: the same key asks again
    with pytest.raises(EnrolmentDenied, match=r"403.*opens no enrolment"):
        device(scene, "thief").enrol(client, ticket)


def test_an_expired_code_opens_nothing(scene: Scene, client: httpx2.Client) -> None:
    ticket = invited(scene)
    wait(scene, INVITATION_HOURS * HOUR_MS)
    with pytest.raises(EnrolmentDenied, match="too old"):
        device(scene).enrol(client, ticket)


def test_a_newer_code_makes_the_older_one_void(scene: Scene, client: httpx2.Client) -> None:
    older, newer = invited(scene), invited(scene)
    with pytest.raises(EnrolmentDenied):
        device(scene).enrol(client, older)
    assert device(scene).enrol(client, newer).terminal == 1001


def test_whoever_guesses_is_stopped_and_the_true_code_with_them(scene: Scene, client: httpx2.Client) -> None:
    true = invited(scene)
    for number in range(ATTEMPTS_MAX):
        guess = Ticket(true.terminal, f"{number:016}", true.fingerprint)
        with pytest.raises(EnrolmentDenied):
            device(scene, "guesser").enrol(client, guess)
    with pytest.raises(EnrolmentDenied, match="tried too often"):
        device(scene).enrol(client, true)
    assert device(scene).enrol(client, invited(scene)).terminal == 1001


def test_a_guesser_learns_nothing_from_the_answers(scene: Scene, client: httpx2.Client) -> None:
    ticket = invited(scene)
    key = Ed25519PrivateKey.generate()
    told = [
        post_body(client, [code, request_for(key)], key, ENROLMENT_CONTENT_TYPE, number).json()["detail"]
        for number, code in ((1001, "0" * 16), (4242, "0" * 16), (4242, ticket.code))
    ]
    assert {said.replace("4242", "1001") for said in told} == {told[0]}


def test_the_code_is_nowhere_on_the_ledgers_disk(scene: Scene, client: httpx2.Client) -> None:
    ticket = invited(scene)
    device(scene).enrol(client, ticket)
    files = [path for path in scene.city.folder.root.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if ticket.code.encode() in path.read_bytes()]


@pytest.mark.parametrize("asked", [Rights.of_role(TerminalRole.KIOSK), Rights.of_role(TerminalRole.MERCHANT)])
def test_a_request_for_rights_that_were_not_given_is_refused(
    scene: Scene, client: httpx2.Client, asked: Rights
) -> None:
    ticket, key = invited(scene), Ed25519PrivateKey.generate()
    answer = post_body(client, [ticket.code, request_for(key, asked)], key, ENROLMENT_CONTENT_TYPE, 1001)
    assert answer.status_code == 403
    assert "rights" in answer.json()["detail"]


def test_somebody_elses_request_is_no_request_of_ones_own(scene: Scene, client: httpx2.Client) -> None:
    ticket, mine, theirs = invited(scene), Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    answer = post_body(client, [ticket.code, request_for(theirs)], mine, ENROLMENT_CONTENT_TYPE, 1001)
    assert (answer.status_code, "not signed by the key" in answer.json()["detail"]) == (403, True)


@pytest.mark.parametrize("body", [b"garbage", b"\xd8\x12\x84", cbor2.dumps([1, 2])])
@pytest.mark.parametrize("path", ["enrolment", "renewal"])
def test_a_body_that_is_no_request_gets_a_problem(client: httpx2.Client, path: str, body: bytes) -> None:
    answer = client.post(f"/v1/terminals/{path}", content=body, headers={"Content-Type": "application/cose"})
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")


def test_a_false_ledger_enrols_nobody(scene: Scene, client: httpx2.Client, tmp_path: Path) -> None:
    other = Folder(tmp_path / "other")
    found(other, scene.clock, "demo")
    with (
        City(other, scene.city.configuration, scene.clock) as false,
        LoopbackServer(application(false)) as server,
        httpx2.Client(base_url=server.address, timeout=60) as liar,
    ):
        ticket = invited(scene)
        theirs = invite(false.ledger.database, false.root, BUS.invitation, scene.clock.now())
        with pytest.raises(EnrolmentDenied, match="not the terminal authority"):
            device(scene).enrol(liar, Ticket(1001, theirs.code, ticket.fingerprint))
    with pytest.raises(IdentityError, match="not enrolled"):
        device(scene).certificate()


def test_an_invitation_beyond_the_role_is_not_written(scene: Scene) -> None:
    for rights in (
        Rights.of_role(TerminalRole.MERCHANT),
        Rights.of_role(TerminalRole.VALIDATOR, routes=(0,)),
    ):
        wanted = Post(1001, TerminalRole.VALIDATOR, OPERATOR).invitation
        wrong = type(wanted)(wanted.terminal, wanted.role, wanted.owner, rights)
        with pytest.raises(EnrolmentRefused, match="choose others"):
            invite(scene.city.ledger.database, scene.city.root, wrong, scene.clock.now())


def test_a_revoked_number_is_not_given_again(scene: Scene, client: httpx2.Client) -> None:
    device(scene).enrol(client, invited(scene))
    waiting = invited(scene)
    scene.city.registry.revoke(1001, scene.clock.now())
    with pytest.raises(EnrolmentRefused, match="was revoked"):
        invited(scene)
    with pytest.raises(EnrolmentDenied, match="revoked"):
        device(scene, "new").enrol(client, waiting)


def test_a_certificate_is_renewed_for_a_new_key_once_it_is_due(scene: Scene, client: httpx2.Client) -> None:
    bus = device(scene)
    first = bus.enrol(client, invited(scene))
    renewal = Renewal(bus, client, scene.clock)
    assert not renewal.if_due()
    wait(scene, 21 * DAY_MS)
    assert renewal.if_due()
    second = device(scene).certificate()
    assert second.public_key != first.public_key
    assert second.not_after > first.not_after
    assert (second.terminal, second.owner, second.rights) == (first.terminal, first.owner, first.rights)
    assert device(scene).identity.public_key == second.public_key


def test_what_was_signed_before_a_renewal_is_taken_after_it(scene: Scene, client: httpx2.Client) -> None:
    bus = device(scene)
    bus.enrol(client, invited(scene))
    desk = Desk(scene.city, 1001, bus.identity)
    wait(scene, 21 * DAY_MS)
    desk.tap(scene.card(loaded=50_000), TapKind.FARE, 3_500)
    body = desk.body()
    bus.renew(client, scene.clock.now())
    assert scene.city.intake.receive(body).results[0]["result"] == "posted"
    desk.next_batch(body)
    desk.tap(scene.card(loaded=50_000), TapKind.FARE, 3_500)
    assert desk.send().results[0]["result"] == "posted"


def test_a_renewal_whose_answer_was_lost_is_answered_again(scene: Scene, client: httpx2.Client) -> None:
    bus = device(scene)
    bus.enrol(client, invited(scene))
    wait(scene, 21 * DAY_MS)
    lost = client.post(
        "/v1/terminals/renewal",
        content=bus._sealed(
            cbor2.dumps([scene.clock.now(), bus.identity.next_request()]), 1001, RENEWAL_CONTENT_TYPE
        ),
        headers={"Content-Type": "application/cose"},
    )
    found_again = device(scene).renew(client, scene.clock.now())
    assert found_again.pem == lost.json()["certificate"].encode()


def test_a_terminal_does_not_renew_before_it_is_due(scene: Scene, client: httpx2.Client) -> None:
    bus = device(scene)
    bus.enrol(client, invited(scene))
    with pytest.raises(EnrolmentDenied, match="need not renew before"):
        bus.renew(client, scene.clock.now())


def test_an_ended_certificate_renews_nothing_on_either_side(scene: Scene, client: httpx2.Client) -> None:
    bus = device(scene)
    bus.enrol(client, invited(scene))
    yesterday = scene.clock.now()
    wait(scene, 30 * DAY_MS)
    with pytest.raises(CertificateEnded, match="enrol with a new code"):
        bus.renew(client, scene.clock.now())
    with pytest.raises(EnrolmentDenied, match="out of date"):
        bus.renew(client, yesterday)  # the device's clock is set back: the ledger's is not
    assert bus.enrol(client, invited(scene)).not_after > scene.clock.now()


def test_a_revoked_terminal_renews_nothing(scene: Scene, client: httpx2.Client) -> None:
    bus = device(scene)
    bus.enrol(client, invited(scene))
    wait(scene, 21 * DAY_MS)
    scene.city.registry.revoke(1001, scene.clock.now())
    with pytest.raises(EnrolmentDenied, match="revoked"):
        bus.renew(client, scene.clock.now())


@pytest.mark.parametrize("who", ["another terminal", "nobody", "an older key"])
def test_a_renewal_is_signed_by_the_newest_certificates_key(
    scene: Scene, client: httpx2.Client, who: str
) -> None:
    bus, kiosk = device(scene), device(scene, "kiosk")
    bus.enrol(client, invited(scene))
    kiosk.enrol(client, invited(scene, Post(3001, TerminalRole.KIOSK, town.AGENT)))
    old = TerminalIdentity(scene.folder / "bus")
    wait(scene, 21 * DAY_MS)
    bus.renew(client, scene.clock.now())
    wait(scene, 1)
    signers = {
        "another terminal": kiosk.identity,
        "nobody": device(scene, "nobody").identity,
        "an older key": old,
    }
    payload = cbor2.dumps([scene.clock.now(), request_for(Ed25519PrivateKey.generate())], canonical=True)
    body = envelope.seal(
        payload, kid=(1001).to_bytes(4, "big"), sign=signers[who].sign, content_type=RENEWAL_CONTENT_TYPE
    )
    answer = client.post("/v1/terminals/renewal", content=body, headers={"Content-Type": "application/cose"})
    assert answer.status_code == 403


def test_a_renewal_asks_for_no_more_rights_than_before(scene: Scene, client: httpx2.Client) -> None:
    bus = device(scene)
    bus.enrol(client, invited(scene))
    wait(scene, 21 * DAY_MS)
    key = Ed25519PrivateKey.generate()
    greedy = request_for(key, Rights.of_role(TerminalRole.VALIDATOR))
    body = bus._sealed(cbor2.dumps([1, greedy], canonical=True), 1001, RENEWAL_CONTENT_TYPE)
    answer = client.post("/v1/terminals/renewal", content=body, headers={"Content-Type": "application/cose"})
    assert (answer.status_code, "rights" in answer.json()["detail"]) == (403, True)


def test_without_a_ledger_enrolment_says_so_and_renewal_waits(scene: Scene, client: httpx2.Client) -> None:
    bus = device(scene)
    bus.enrol(client, invited(scene))
    wait(scene, 21 * DAY_MS)
    with httpx2.Client(base_url="http://127.0.0.1:9", timeout=2) as nowhere:
        with pytest.raises(Offline):
            device(scene, "new").enrol(nowhere, invited(scene))
        assert not Renewal(bus, nowhere, scene.clock).if_due()
    assert Renewal(bus, client, scene.clock).if_due()


def test_a_ledger_that_renews_with_a_certificate_of_an_earlier_key_is_asked_again(
    scene: Scene, client: httpx2.Client
) -> None:
    bus = device(scene)
    told = {
        "certificate": bus.enrol(client, invited(scene)).pem.decode(),
        "authority": (bus.folder / AUTHORITY_FILE).read_text(),
        "ledger_key": bus.ledger_key().hex(),
    }
    wait(scene, 21 * DAY_MS)
    second = bus.renew(client, scene.clock.now())
    wait(scene, 21 * DAY_MS)
    stale = httpx2.MockTransport(lambda _request: httpx2.Response(200, json=told))
    with httpx2.Client(base_url="http://ledger", transport=stale) as wrong:
        assert not Renewal(bus, wrong, scene.clock).if_due()  # and what waits goes up
    assert device(scene).certificate() == second
    assert Renewal(bus, client, scene.clock).if_due()
