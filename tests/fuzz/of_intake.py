"""Decoders of the ledger's intake: signed batches, as they come from a terminal and as the ledger wrote them itself."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from card.batch import CONTENT_TYPE
from keys.clock import UnixMs
from keys.filevault import FileVault
from keys.identity import TerminalCertificate
from keys.rights import Rights, TerminalRole
from ledger.errors import BatchMalformed, SignatureRefused, TerminalUnknown
from ledger.intake.receipt import LABEL
from ledger.intake.registry import Registry
from ledger.intake.senders import Senders
from ledger.relay import own
from tests.fuzz import world
from tests.fuzz.trial import Decoder

if TYPE_CHECKING:
    from collections.abc import Mapping

_DAY_MS: Final = 86_400_000
_ERRORS: Final = (BatchMalformed, SignatureRefused, TerminalUnknown)


class _Enrolled(Registry):
    """Knows one terminal: the one whose key is `world.KEY`."""

    def __init__(self) -> None:
        role, until = TerminalRole.KIOSK, UnixMs(world.NOW + _DAY_MS)
        self._known = TerminalCertificate(
            world.TERMINAL, role, 12, world.PUBLIC, 1, UnixMs(world.NOW - 1), until, b"", Rights.of_role(role)
        )

    def certificates(
        self, number: int, _counts: Mapping[str, int] | None = None
    ) -> list[TerminalCertificate]:
        if number != world.TERMINAL:
            raise TerminalUnknown(f"terminal {number} is not enrolled here: enrol it first")
        return [self._known]

    def enrolled(self, number: int, _at: UnixMs | None = None) -> TerminalCertificate:
        return self.certificates(number)[0]

    def history(self, number: int) -> list[TerminalCertificate]:
        return self.certificates(number)


@cache
def _vault() -> FileVault:
    """The ledger's, with the key that signs receipts."""
    made = FileVault.create(world.folder() / "intake.vault", "x", 16)
    made.generate_signing_key(LABEL)
    return made


@cache
def _senders() -> Senders:
    return Senders(_Enrolled(), _vault(), world.Stopped())


def _opened(body: bytes) -> object:
    return _senders().opened(body, {})


def _sealed_anew(payload: bytes) -> object:
    """Under the terminal's own signature, so that what is signed is what is looked at."""
    return _opened(world.sealed(payload, CONTENT_TYPE))


@cache
def _bodies() -> tuple[bytes, ...]:
    relayed, _ = own.written(world.TERMINAL, world.records()[0], _vault(), world.NOW)
    return world.sealed(world.batch(), CONTENT_TYPE), relayed


DECODERS: Final = [
    Decoder("batch, signed", _opened, _ERRORS, _bodies, "cbor", slow=True),
    Decoder("batch under a good signature", _sealed_anew, _ERRORS, lambda: [world.batch()], "cbor"),
]
