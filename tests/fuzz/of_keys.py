"""Decoders of `keys`: envelopes, certificates, hand-outs, backups, codes, amounts."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import cbor2

from keys import backup, bundle, envelope, handout, identity, money, publickey, sealedfile, tokenbackup, tr31
from keys.backup import Share
from keys.bundle import Bundle, BundleKind
from keys.envelope import Envelope
from keys.errors import (
    EnvelopeError,
    FreshQrUnreadable,
    IdentityError,
    KeyBlockError,
    KeysError,
    MoneyError,
    PublicKeyUnusable,
    ShareError,
)
from keys.freshqr import FreshQr
from keys.handout import Handed
from keys.identity import TerminalRole
from keys.money import Rupiah
from keys.rights import Rights
from keys.ticket import Ticket
from keys.vault import KeyName, Role
from tests.fuzz import world
from tests.fuzz.trial import Decoder

if TYPE_CHECKING:
    from collections.abc import Sequence

_CITY: Final = bytes(8)
_TRANSPORT: Final = bytes(range(32))


def _bundles() -> Sequence[bytes]:
    made = [
        Bundle(_CITY, bundle.EVERY, BundleKind.LIMITS, 1, 0, world.NOW, cbor2.dumps({"sale_max": 1}, canonical=True)),
        Bundle(_CITY, TerminalRole.KIOSK.value, BundleKind.HOTLIST, 7, 6, world.NOW, bytes(40)),
    ]  # fmt: skip
    return [bundle.sealed(one, world.PUBLIC, world.KEY.sign) for one in made]


def _opened_again(payload: bytes) -> object:
    signed = envelope.seal(
        payload, kid=bundle.key_id(world.PUBLIC), sign=world.KEY.sign, content_type=bundle.CONTENT_TYPE
    )
    return bundle.opened(signed, world.PUBLIC)


def _sealed_again(message: object) -> bytes:
    assert isinstance(message, Envelope)
    protected, signature = message._protected, message._signature
    return cbor2.dumps(
        cbor2.CBORTag(envelope.TAG, [protected, {}, message.payload, signature]), canonical=True
    )


def _handout() -> Sequence[bytes]:
    masters = [
        Handed(KeyName(Role.DEBIT.value, 1), bytes(16)),
        Handed(KeyName(Role.READ.value, 2), bytes(range(16))),
    ]
    return [handout.seal(masters, world.EXCHANGE.public_key().public_bytes_raw(), b"context")]


def _unsealed(plain: bytes) -> object:
    """What somebody sealed to this device: whoever knows its public key can."""
    theirs = world.EXCHANGE
    public = theirs.public_key().public_bytes_raw()
    cipher = handout._cipher(theirs, public, public + public, b"context")
    return handout.unseal(public + cipher.encrypt(handout._NONCE, plain, b"context"), theirs, b"context")


def _masters() -> Sequence[bytes]:
    return [cbor2.dumps([[Role.DEBIT.value, 1, bytes(16)], [Role.READ.value, 2, bytes(16)]])]


def _token_backup(payload: bytes) -> object:
    return tokenbackup.parsed(world.sealed(payload, tokenbackup.CONTENT_TYPE, world.PUBLIC))


def _token_payload() -> Sequence[bytes]:
    entry = [Role.DEBIT.value, 1, "card", bytes(3), False, "transport", 1, bytes(24)]
    return [cbor2.dumps([1, "Semarang", 4, [entry, entry]], canonical=True)]


@cache
def _backup() -> tuple[bytes, list[Share]]:
    return backup.make(world.vault())


def _inside_a_vault(content: bytes) -> object:
    """A vault's file whose content is something else, sealed with the right passphrase."""
    header, _, _ = cbor2.loads((world.folder() / "city.vault").read_bytes())
    secret = sealedfile._secret("x", header)
    whole = cbor2.dumps([header, bytes(12), secret.encrypt(bytes(12), content, cbor2.dumps(header))])
    path = world.folder() / "other.vault"
    path.write_bytes(whole)
    return _opened_vault(path)


def _opened_vault(path: Any) -> object:
    from keys.filevault import FileVault  # noqa: PLC0415  beside what uses it

    return FileVault.open(path, "x", None)


def _vault_files() -> Sequence[bytes]:
    world.vault()
    return [(world.folder() / "city.vault").read_bytes()]


def _vault_content() -> Sequence[bytes]:
    return [cbor2.dumps(world.vault().content())]


def _key_file() -> bytes:
    world.identity()
    return (world.folder() / "device" / "identity.key").read_bytes()


def _identity_file(data: bytes) -> object:
    place = world.folder() / "other-device"
    place.mkdir(exist_ok=True)
    path = place / "identity.key"
    path.write_bytes(data)
    path.chmod(0o600)
    return identity.TerminalIdentity(place, world.SECRET)


DECODERS: Final = [
    Decoder(
        "envelope", envelope.parse, EnvelopeError, lambda: [world.sealed(world.batch(), "application/x")],
        again=_sealed_again,
    ),
    Decoder("bundle", lambda data: bundle.opened(data, world.PUBLIC), EnvelopeError, _bundles),
    Decoder("bundle, signed", _opened_again, EnvelopeError, lambda: [envelope.parse(one).payload for one in _bundles()], "cbor"),
    Decoder(
        "certificate", lambda data: identity.read_certificate(data, world.authority().root_certificate()), IdentityError,
        lambda: [world.certificate()],
    ),
    Decoder("authority's certificate", identity.authority_key, IdentityError, lambda: [world.authority().root_certificate()]),
    Decoder("certificate request", identity.requested_key, IdentityError, lambda: [world.identity().request()]),
    Decoder("rights", Rights.decode, IdentityError, lambda: [Rights.of_role(role).encode() for role in TerminalRole], "cbor"),
    Decoder("hand-out", lambda data: handout.unseal(data, world.EXCHANGE, b"context"), KeyBlockError, _handout),
    Decoder("hand-out, opened", _unsealed, KeyBlockError, _masters, "cbor"),
    Decoder("token backup", tokenbackup.parsed, KeyBlockError, lambda: [world.sealed(_token_payload()[0], tokenbackup.CONTENT_TYPE, world.PUBLIC)]),
    Decoder("token backup, signed", _token_backup, KeyBlockError, _token_payload, "cbor"),
    Decoder("vault backup", backup._parts, ShareError, lambda: [_backup()[0]], "cbor"),
    Decoder("vault", world.on_disk("vault", _opened_vault), KeysError, _vault_files, "cbor"),
    Decoder("vault, opened", _inside_a_vault, KeysError, _vault_content, "cbor"),
    Decoder("terminal's key", _identity_file, IdentityError, lambda: [_key_file()], "cbor"),
    Decoder("share", world.as_text(Share.parse), ShareError, lambda: [one.text.encode() for one in _backup()[1]]),
    Decoder("key block", world.as_text(lambda text: tr31.unwrap(_TRANSPORT, text)), KeyBlockError, lambda: [tr31.wrap(_TRANSPORT, KeyName(Role.DEBIT.value, 1), bytes(16)).encode()]),
    Decoder(
        "fresh QR", world.as_text(FreshQr.read), FreshQrUnreadable,
        lambda: [FreshQr.made(world.KEY.sign, 3001, 9_360_011_300_000_017, Rupiah(43_500), 17, world.NOW).text().encode()],
        again=lambda found: found.text().encode(),
    ),
    Decoder("enrolment code", world.as_text(Ticket.read), IdentityError, lambda: [str(Ticket.drawn(1001, world.authority().root_certificate())).encode()]),
    Decoder("amount", world.as_text(money.parse), MoneyError, lambda: [b"12345678.00", b"3500", b"-10.5", b"0.01"]),
    Decoder("public key", world.on_disk("public.pem", lambda path: publickey.read_public_key(str(path))), PublicKeyUnusable, lambda: [publickey.pem_of(world.PUBLIC)]),
    Decoder("public key, typed", world.as_text(publickey.read_public_key), PublicKeyUnusable, lambda: [world.PUBLIC.hex().encode()]),
]  # fmt: skip
