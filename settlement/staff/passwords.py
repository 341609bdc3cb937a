"""Passwords of staff: Argon2id (RFC 9106, the second recommended option: 64 MiB, three passes, four lanes).

Who asks for a person that is not there waits as long as for one who is: the password is checked against the hash of nobody's. Two checks
run at a time; more callers than that wait, so that nobody can fill the memory by asking. A digest of another cost, as an older release made
it, is renewed at the sign-in that it lets in: only then is the password at hand.
"""

from __future__ import annotations

import secrets
import threading
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from settlement.errors import PasswordWeak
from settlement.staff.breached import is_breached

LENGTH_MIN: Final = 12
LENGTH_MAX: Final = 128
"""Longer ones are refused before they are hashed."""
DIFFERENT_MIN: Final = 5
CHECKS_AT_ONCE: Final = 2
HASHER: PasswordHasher = PasswordHasher()
_TURN: Final = threading.BoundedSemaphore(CHECKS_AT_ONCE)
_KNOWN: Final = frozenset({"password", "semarang", "kartuhebat", "qwerty", "123456", "rahasia"})
"""Words of this place, and of every place: no password is one of them with figures around it."""


def checked(name: str, password: str) -> str:
    """The password, where it may be one; raises PasswordWeak, which says why not."""
    folded = password.casefold()
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        raise PasswordWeak(f"a password has {LENGTH_MIN} to {LENGTH_MAX} characters: take a few words")
    if len(set(folded)) < DIFFERENT_MIN:
        raise PasswordWeak(f"a password has at least {DIFFERENT_MIN} different characters")
    if (
        name.casefold() in folded
        or any(folded.strip("0123456789!.") == known for known in _KNOWN)
        or is_breached(folded)
    ):
        raise PasswordWeak("that password is the first that anybody would try: take a few words of your own")
    return password


def digest(password: str) -> str:
    """What is stored of a password: an Argon2id string with its own salt and cost."""
    with _TURN:
        return HASHER.hash(password)


def fits(stored: str, password: str) -> bool:
    """Whether a password is the one; `stored` is "" for nobody's, which takes as long and never fits."""
    try:
        with _TURN:
            HASHER.verify(stored or _nobody(), password[: LENGTH_MAX + 1])
    except (VerificationError, InvalidHashError):
        return False
    return bool(stored)


def renewed(stored: str, password: str) -> str:
    """The digest to keep of a password that fits: the same, or another where the cost of today is another than the stored one's."""
    return digest(password) if HASHER.check_needs_rehash(stored) else stored


_nobodys: list[str] = []


def _nobody() -> str:
    """The hash of a password that nobody knows, made once a process."""
    if not _nobodys:
        _nobodys.append(HASHER.hash(secrets.token_urlsafe(24)))
    return _nobodys[0]
