"""Keys on their way to terminals: the versions in use of their role and no others, sealed to the device that asked, and refused to whoever proves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from hebat.application import application
from hebat.bundles.office import Office
from hebat.demo import town
from hebat.fleet import Post, enrol
from hebat.serving import LoopbackServer
from keys import envelope, handout
from keys.errors import IdentityError, KeyBlockError, KeyMisused, KeyRetired
from keys.filevault import FileVault
from keys.handout import TERMINAL_KEYS, context_of, seal, unseal
from keys.rights import TerminalRole
from keys.vault import HANDED_OUT, KeyName, Purpose, Role
from ledger.errors import HandoutRefused, TerminalUnknown
from terminals.errors import ReceiptWrong, UploadRefused
from terminals.opening import client_of, device_of, take_keys, vault_name
from terminals.tap import Colour
from terminals.upload import Link
from tests.system.tears_city import fare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.ledger.desk import Desk, Scene

BUS = Post(1001, TerminalRole.VALIDATOR, town.OPERATORS[0])
KIOSK = Post(3001, TerminalRole.KIOSK, town.AGENT)


@pytest.fixture
def address(scene: Scene) -> Iterator[str]:
    with LoopbackServer(application(scene.city)) as server:
        yield server.address


def roll(scene: Scene, *roles: Role) -> None:
    for role in roles:
        vault = scene.city.vault
        vault.generate_key(KeyName(role.value, vault.next_version(role.value)), Purpose.CARD)


def request(scene: Scene, drawn: X25519PrivateKey, late_ms: int = 0) -> bytes:
    at = scene.clock.now() + late_ms
    return cbor2.dumps([at, drawn.public_key().public_bytes_raw()], canonical=True)


def asked(scene: Scene, desk: Desk, drawn: X25519PrivateKey, late_ms: int = 0) -> list[handout.Handed]:
    """What a terminal is given."""
    payload = request(scene, drawn, late_ms)
    answer = scene.city.handout.hand_out(desk.seal(payload, handout.REQUEST_CONTENT_TYPE))
    terminal, context, sealed = cbor2.loads(
        envelope.parse(answer).verify(scene.city.vault.public_key("ledger"))
    )
    assert (terminal, context) == (desk.number, context_of(payload))
    assert not scene.city.vault.shows_in(answer)
    return unseal(sealed, drawn, context)


def test_a_terminal_is_given_the_versions_in_use_of_its_role_and_no_other_key(scene: Scene) -> None:
    roll(scene, *Role)
    scene.city.vault.retire(Role.READ, 1)
    drawn = X25519PrivateKey.generate()
    for number, role in enumerate(TerminalRole, 1101):
        given = asked(scene, scene.desk(number, role, 11), drawn)
        wanted = {
            (key.value, version) for key in TERMINAL_KEYS[role] for version in scene.city.vault.versions(key)
        }
        assert {tuple(one.name) for one in given} == wanted
        assert len({one.value for one in given}) == len(given)
    assert ("read", 1) not in wanted
    assert {role for roles in TERMINAL_KEYS.values() for role in roles} == set(HANDED_OUT)
    assert Role.LOAD not in HANDED_OUT
    assert Role.TRANSACTION_MAC not in HANDED_OUT
    for kept in set(Role) - set(HANDED_OUT):
        with pytest.raises(KeyMisused, match="stays in the city's vault"):
            scene.city.vault.handed_out([kept], drawn.public_key().public_bytes_raw(), b"")


def test_whoever_proves_nothing_gets_nothing(scene: Scene) -> None:
    desk, drawn = scene.desk(1102), X25519PrivateKey.generate()
    other = scene.desk(1103)
    assert asked(scene, desk, drawn)
    for late in (-301_000, 301_000):
        with pytest.raises(HandoutRefused, match="of another time"):
            asked(scene, desk, drawn, late)
    payload = request(scene, drawn)
    stolen = envelope.seal(
        payload,
        kid=desk.number.to_bytes(4, "big"),
        sign=other.identity.sign,
        content_type=handout.REQUEST_CONTENT_TYPE,
    )
    with pytest.raises(HandoutRefused, match="not terminal 1102's"):
        scene.city.handout.hand_out(stolen)
    for body in (b"", payload, desk.seal(payload), desk.seal(b"\xff", handout.REQUEST_CONTENT_TYPE)):
        with pytest.raises(HandoutRefused):
            scene.city.handout.hand_out(body)
    now = scene.clock.now()
    strange: list[object] = [[1], [now, bytes(32)], [now, b"short"], [now, 5], {}]
    for fields in strange:
        with pytest.raises(HandoutRefused):
            scene.city.handout.hand_out(desk.seal(cbor2.dumps(fields), handout.REQUEST_CONTENT_TYPE))
    unknown = envelope.seal(
        payload,
        kid=(9999).to_bytes(4, "big"),
        sign=desk.identity.sign,
        content_type=handout.REQUEST_CONTENT_TYPE,
    )
    with pytest.raises(TerminalUnknown):
        scene.city.handout.hand_out(unknown)
    scene.city.registry.revoke(desk.number, scene.clock.now())
    with pytest.raises(TerminalUnknown, match="was revoked"):
        asked(scene, desk, drawn)


def test_sealed_keys_open_on_the_device_that_asked_for_its_own_request_alone(scene: Scene) -> None:
    drawn, context = X25519PrivateKey.generate(), context_of(b"request")
    masters = [handout.Handed(KeyName("debit", 1), bytes(range(3, 19)))]
    sealed = seal(masters, drawn.public_key().public_bytes_raw(), context)
    assert unseal(sealed, drawn, context) == masters
    assert masters[0].value not in sealed
    assert masters[0].value.hex() not in repr(masters)
    wrong = [
        (sealed, X25519PrivateKey.generate(), context),
        (sealed, drawn, context_of(b"another")),
        *(
            (sealed[:at] + bytes((sealed[at] ^ 1,)) + sealed[at + 1 :], drawn, context)
            for at in range(len(sealed))
        ),
        (sealed[:40], drawn, context),
        (b"", drawn, context),
    ]
    for one, key, about in wrong:
        with pytest.raises(KeyBlockError, match=r"ask again|no X25519"):
            unseal(one, key, about)


def test_a_terminal_takes_newer_keys_and_forgets_retired_ones_without_enrolling_anew(
    scene: Scene, address: str
) -> None:
    city = scene.city
    enrol(city, BUS, address, city.configuration.tariffs[0]).__exit__(None, None, None)
    device = device_of(city.folder.terminal(BUS.number))
    certificate = device.certificate()
    roll(scene, Role.DEBIT)
    with client_of(address) as client:
        taken = take_keys(device, client, scene.clock)
        assert ([(one.label, one.version) for one in taken.came], taken.went) == ([("debit", 2)], [])
        again = take_keys(device, client, scene.clock)
        assert (again.came, again.went) == ([], [])
        city.vault.retire(Role.DEBIT, 1)
        gone = take_keys(device, client, scene.clock)
        assert (gone.came, [(one.label, one.version) for one in gone.went]) == ([], [("debit", 1)])
    assert device.certificate() == certificate
    from keys.device import vault_passphrase  # noqa: PLC0415

    vault = FileVault.open(
        device.folder / "device.vault", vault_passphrase(device.secret), vault_name(BUS.number)
    )
    assert vault.versions(Role.DEBIT) == [2]
    with pytest.raises(KeyRetired):
        vault.card_key(Role.DEBIT, 1, bytes(7))
    uid = b"\x04" + bytes(6)
    assert vault.card_key(Role.DEBIT, 2, uid).cmac(b"x") == city.vault.card_key(Role.DEBIT, 2, uid).cmac(b"x")


def test_a_terminal_at_work_takes_newer_keys_behind_an_upload_once_the_city_says_so(
    scene: Scene, address: str
) -> None:
    city, tariff = scene.city, scene.city.configuration.tariffs[0]
    old = scene.card(loaded=50_000)
    with enrol(city, BUS, address, tariff) as bus:
        roll(scene, Role.DEBIT)
        new = scene.card(loaded=50_000)
        old.chip.leave_field()
        new.chip.leave_field()
        assert fare(bus, new.chip).colour is Colour.RED
        bus.upload()
        assert fare(bus, new.chip).colour is Colour.RED  # nobody said that there are newer keys
        Office.of(city).keys(scene.clock.now())
        bus.upload()
        new.chip.leave_field()
        assert fare(bus, new.chip).colour is Colour.GREEN
        assert fare(bus, old.chip).colour is Colour.GREEN
        city.vault.retire(Role.DEBIT, 1)
        Office.of(city).keys(scene.clock.now())
        bus.upload()
        old.chip.leave_field()
        assert fare(bus, old.chip).colour is Colour.RED
        bus.close_shift()


def test_a_revoked_terminal_keeps_what_it_has_and_is_told_why(scene: Scene, address: str) -> None:
    city = scene.city
    enrol(city, KIOSK, address, city.configuration.tariffs[0]).__exit__(None, None, None)
    device = device_of(city.folder.terminal(KIOSK.number))
    city.registry.revoke(KIOSK.number, scene.clock.now())
    before = (device.folder / "device.vault").read_bytes()
    with client_of(address) as client, pytest.raises(UploadRefused, match="was revoked"):
        take_keys(device, client, scene.clock)
    assert (device.folder / "device.vault").read_bytes() == before


def test_keys_that_somebody_else_than_the_ledger_signed_are_not_taken(scene: Scene, address: str) -> None:
    city = scene.city
    enrol(city, KIOSK, address, city.configuration.tariffs[0]).__exit__(None, None, None)
    device = device_of(city.folder.terminal(KIOSK.number))
    key = city.vault.public_key("bundles")  # a ledger of another key answered
    (device.folder / "ledger.key").write_bytes(key)
    with client_of(address) as client, pytest.raises(ReceiptWrong, match="does not verify"):
        take_keys(device, client, scene.clock)
    link = Link(client_of(address), 1, lambda _: bytes(64), city.vault.public_key("ledger"), scene.clock)
    signed = envelope.seal(
        b"x", kid=b"k", sign=lambda data: city.vault.sign("ledger", data), content_type="application/other"
    )
    with pytest.raises(ReceiptWrong, match="not application/ksh-handout"):
        link.signed(signed, handout.CONTENT_TYPE)
    link.close()


def test_another_citys_keys_do_not_replace_those_of_a_terminal(tmp_path: Path) -> None:
    drawn, context = X25519PrivateKey.generate(), context_of(b"request")
    public = drawn.public_key().public_bytes_raw()
    vault = FileVault.create(tmp_path / "v", "ten violet otters", 16)
    vault.take_handout(
        seal([handout.Handed(KeyName("debit", 1), bytes(range(3, 19)))], public, context), drawn, context
    )
    before = vault.record()
    other = seal([handout.Handed(KeyName("debit", 1), bytes(range(5, 21)))], public, context)
    with pytest.raises(KeyMisused, match="another city's terminal"):
        vault.take_handout(other, drawn, context)
    assert vault.record() == before


def test_a_device_that_is_not_enrolled_is_given_nothing(scene: Scene, address: str, tmp_path: Path) -> None:
    with client_of(address) as client, pytest.raises(IdentityError, match="not enrolled"):
        take_keys(device_of(tmp_path / "device"), client, scene.clock)
