"""Where the project makes or receives secrets, watched from outside: each value is told to whoever runs the tests, by kind.

The watch looks over the shoulder of functions and constructors once their module is imported, in the tests' own process and (through
`child/sitecustomize.py`) in every Python that a test starts. It imports nothing but the standard library, for it stands before everything.
"""

from __future__ import annotations

import functools
import os
import socket
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    Note = Callable[[str, bytes], None]
    Seen = Callable[[tuple[Any, ...], dict[str, Any], Any], Iterable[object]]

ADDRESS = "HEBAT_TESTS_SECRETS"
"""The variable with the (abstract) socket that other processes tell secrets to: they never touch a disk."""


def given(place: int, name: str) -> Seen:
    """An argument, by position and name."""
    return lambda args, named, _: [args[place] if len(args) > place else named.get(name)]


def made(_args: tuple[Any, ...], _named: dict[str, Any], result: Any) -> Iterable[object]:
    """What comes back: one value, or several."""
    return result if isinstance(result, tuple) else [result]


def _values(args: tuple[Any, ...], _named: dict[str, Any], _result: Any) -> Iterable[object]:
    return list(args[0]._values.values())


def _private(args: tuple[Any, ...], _named: dict[str, Any], result: Any) -> Iterable[object]:
    return [(result or args[-1]).private_bytes_raw()]


def _session(args: tuple[Any, ...], _named: dict[str, Any], _result: Any) -> Iterable[object]:
    return [args[0].enc, args[0].mac]


def _code(_args: tuple[Any, ...], _named: dict[str, Any], result: Any) -> Iterable[object]:
    return [result.code]


WATCHED: dict[str, list[tuple[str, str, Seen]]] = {
    "card.ev2": [("SessionKeys.__init__", "session key", _session)],
    "card.tmac": [("session_keys", "session key", made)],
    "keys.backup": [("Share.__init__", "share", given(3, "value"))],
    "keys.ceremony": [("Component.__init__", "component", given(2, "value"))],
    "keys.device": [
        ("device_secret", "terminal secret", made),
        ("drawn", "terminal secret", made),
        ("TerminalIdentity._seal", "terminal key", _private),
        ("TerminalIdentity._opened", "terminal key", _private),
    ],
    "keys.diversify": [("diversify_aes128", "card key", made)],
    "keys.filevault": [
        ("FileVault._take", "vault key", _values),
        ("FileVault.add_key", "vault key", given(3, "value")),
        ("FileVault.generate_signing_key", "vault key", _values),
    ],
    "keys.hsmvault": [
        ("HsmVault.add_key", "vault key", given(3, "value")),
        ("HsmVault._import_pair", "vault key", given(2, "seed")),
    ],
    "keys.tokenkey": [("CardKeys._derived_value", "card key", made)],
    "keys.partner": [("PartnerVault.add", "client secret", given(2, "secret"))],
    "keys.pkcs11token": [("open_session", "token PIN", given(2, "pin"))],
    "keys.sealedfile": [("_secret", "passphrase", given(0, "passphrase"))],
    "keys.shamir": [("split", "backup key", given(0, "secret"))],
    "keys.softkey": [
        ("SoftKey.__init__", "card key", given(1, "value")),
        ("random_key", "vault key", made),
    ],
    "keys.ticket": [("Ticket.drawn", "enrolment code", _code)],
    "settlement.staff.codes": [
        ("new_secret", "authenticator secret", made),
        ("new_recovery_codes", "recovery code", made),
    ],
    "settlement.staff.passwords": [("digest", "staff password", given(0, "password"))],
    "settlement.staff.seal": [("Seal.__init__", "staff key", given(1, "key"))],
    "settlement.staff.sessions": [("new_token", "session token", made)],
    "ledger.intake.registry": [("new_token", "page token", made)],
}
"""By module: what is watched there, what kind of secret it is, and where in the call the secret stands."""


class Watch(MetaPathFinder):
    """Watches each module of WATCHED from the moment it is imported."""

    def __init__(self, note: Note) -> None:
        self._note = note

    def install(self) -> None:
        """Watch what is imported already, and what comes."""
        for name in WATCHED.keys() & sys.modules.keys():
            self.look_over(sys.modules[name])
        sys.meta_path.insert(0, self)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The ordinary spec, with a loader that calls us when the module is there."""
        if name not in WATCHED:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Watched(spec.loader, self)
        return spec

    def look_over(self, module: ModuleType) -> None:
        """Put a watch on a module's functions; a name that is gone is an error, or nobody would notice."""
        for path, kind, seen in WATCHED[module.__name__]:
            owner: Any = module
            *outer, name = path.split(".")
            for one in outer:
                owner = getattr(owner, one)
            self._replace(owner, name, kind, seen)

    def _replace(self, owner: Any, name: str, kind: str, seen: Seen) -> None:
        real, note = getattr(owner, name), self._note

        @functools.wraps(real)
        def watched(*args: Any, **named: Any) -> Any:
            result = real(*args, **named)
            for value in seen(args, named, result):
                if isinstance(value, bytes | str):
                    note(kind, value.encode() if isinstance(value, str) else value)
            return result

        bound = isinstance(vars(owner).get(name), classmethod)
        setattr(owner, name, staticmethod(watched) if bound else watched)


class _Watched(Loader):
    """A loader that tells the watch when it is done."""

    def __init__(self, real: Loader, watch: Watch) -> None:
        self._real = real
        self._watch = watch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._real.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._real.exec_module(module)
        self._watch.look_over(module)


class Teller:
    """Tells secrets to the tests' process over its socket; one message each, so that a process that is killed has told them."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._owner = 0
        self._told: set[bytes] = set()

    def __call__(self, kind: str, value: bytes) -> None:
        """Tell one; a listener that has gone has no use for it."""
        if self._owner != os.getpid():
            self._owner, self._told = os.getpid(), set()
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        if value in self._told:
            return
        self._told.add(value)
        try:
            self._socket.sendto(kind.encode() + b"\0" + value, "\0" + self._address)
        except OSError:
            return
