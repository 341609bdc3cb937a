"""Get the newest versions of the keys that this terminal holds: asked for under its own signature, opened in its own vault alone."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Final

import cbor2
import structlog
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from keys import cbor, handout
from keys.errors import CborMalformed, KeysError
from terminals.errors import ReceiptWrong, TerminalError

if TYPE_CHECKING:
    from keys.clock import Clock
    from keys.filevault import FileVault
    from keys.handout import Taken
    from terminals.bundles.rules import Rules
    from terminals.upload import Link

PATH: Final = "/v1/terminals/keys"
_FIELDS: Final = 3
_log = structlog.get_logger("terminals.handout")


def fetch(link: Link, vault: FileVault, clock: Clock) -> Taken:
    """Ask the ledger for the keys of this terminal's role, and take them in: what came, and what is in use no more.

    Raises Offline, UploadRefused, ReceiptWrong, KeyBlockError, VaultError; the keys that are here stay then.
    """
    drawn = X25519PrivateKey.generate()
    request = cbor2.dumps([clock.now(), drawn.public_key().public_bytes_raw()], canonical=True)
    answer = link.post_signed(PATH, request, handout.REQUEST_CONTENT_TYPE)
    context = handout.context_of(request)
    return vault.take_handout(_sealed(link, answer, context), drawn, context)


def _sealed(link: Link, answer: Any, context: bytes) -> bytes:
    """The sealed masters, once the ledger has signed them for this terminal and this request."""
    try:
        signed = base64.b64decode(answer["handout"], validate=True)
        fields: Any = cbor.decoded(link.signed(signed, handout.CONTENT_TYPE))
    except (CborMalformed, KeyError, TypeError, ValueError, binascii.Error):
        raise ReceiptWrong("the answer holds no keys: is this a ledger's address?") from None
    if (
        not isinstance(fields, list)
        or len(fields) != _FIELDS
        or fields[:2] != [link.terminal, context]
        or not isinstance(fields[2], bytes)
    ):
        raise ReceiptWrong("the keys are for another terminal or another request: ask again")
    return fields[2]


class NewestKeys:
    """Looks after each upload whether the city has newer keys than this terminal, and asks for them."""

    def __init__(self, vault: FileVault, link: Link, clock: Clock) -> None:
        self._vault = vault
        self._link = link
        self._clock = clock

    def if_due(self, rules: Rules) -> bool:
        """True where keys came or went; a ledger that refuses, or is not there, is asked again the next time."""
        held = {one.role for one in self._vault.contents() if one.role is not None}
        if not any(rules.keys_differ(role, self._vault.versions(role)) for role in held):
            return False
        try:
            taken = fetch(self._link, self._vault, self._clock)
        except (TerminalError, KeysError, OSError) as error:
            _log.warning("keys not taken", reason=str(error))
            return False
        return bool(taken.came or taken.went)
