"""Give a card of the city newer application keys from afar: each key by a command of its own, the master key last.

A chip changes one key wholly or not at all, so that a card that is torn on the way has old and new keys side by side, each of them known to the vaults. What the
card says of its versions without a session is a hint, for whoever carries the bytes can change it; what it says or does in the master's session is proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from card import client, files
from card.apdu import Ins, wrap
from card.errors import SessionBroken
from card.layout import AID
from card.personalise import key_of
from card.relay import FarSession, Script, proven, whole
from keys.errors import VaultError
from keys.vault import Role

if TYPE_CHECKING:
    from keys.vault import CardKey, Vault

ROLES: Final = (Role.MASTER, *files.KEY_ROLES)
"""Roles of the application's keys, by key number."""
_AUTHENTICATE: Final = wrap(Ins.AUTHENTICATE_EV2_FIRST, bytes((Role.MASTER.key_no, 0)))


@dataclass(frozen=True, slots=True)
class Opened:
    """A card in its master's session, and the versions of keys 0 to 5 that it named: the first is proved, the others are hints."""

    uid: bytes
    session: FarSession
    told: bytes


def opened(vault: Vault, uid: bytes) -> Script[Opened]:
    """Ask for the versions, and open a session under the master key that the card has.

    Raises CardError, VaultError (a master version that is unknown or retired).
    """
    ask = [
        wrap(Ins.SELECT_APPLICATION, AID[::-1]),
        *(wrap(Ins.GET_KEY_VERSION, bytes((role.key_no,))) for role in ROLES),
        _AUTHENTICATE,
    ]
    _, *versions, challenge = whole((yield ask), ask)
    told = bytes(_version(client.answered(one)[1]) for one in versions)
    session = yield from proven(challenge, key_of(vault, Role.MASTER, told[0], uid))
    return Opened(uid, session, told)


def changed(far: Opened, vault: Vault, wanted: bytes) -> Script[bytes]:
    """Bring every key that is older to a wanted version; the versions of keys 0 to 5 as the card has proved them.

    A key whose version no vault can use any more is left as it is. Raises CardError: the next load goes on where the card is then.
    """
    pairs = [_pair(far, vault, role, wanted) for role in ROLES]
    ask = [_command(far.session, role, pair) for role, pair in zip(ROLES, pairs, strict=True) if role.key_no]
    own = pairs[0]
    if own is not None:
        ask += [far.session.change_key(Role.MASTER.key_no, own[0], None), _AUTHENTICATE]
    answers = whole((yield ask), ask)
    others = zip(files.KEY_ROLES, pairs[1:], answers[: len(files.KEY_ROLES)], strict=True)
    versions = [_proved(far.session, pair, answer, wanted[role.key_no]) for role, pair, answer in others]
    if own is None:
        return bytes((far.told[0], *versions))
    client.answered(answers[-2])
    yield from proven(answers[-1], own[0])
    return bytes((wanted[0], *versions))


def _pair(far: Opened, vault: Vault, role: Role, wanted: bytes) -> tuple[CardKey, CardKey] | None:
    """New and old key where the card's is older and both can be used."""
    told, target = far.told[role.key_no], wanted[role.key_no]
    if told >= target:
        return None
    try:
        return key_of(vault, role, target, far.uid), key_of(vault, role, told, far.uid)
    except VaultError:
        return None


def _command(session: FarSession, role: Role, pair: tuple[CardKey, CardKey] | None) -> bytes:
    """ChangeKey, or the question for the version: either answer is under the session's MAC."""
    if pair is None:
        return session.command(Ins.GET_KEY_VERSION, bytes((role.key_no,)))
    return session.change_key(role.key_no, *pair)


def _proved(session: FarSession, pair: tuple[CardKey, CardKey] | None, answer: bytes, wanted: int) -> int:
    data = session.opened(answer)
    return wanted if pair is not None else _version(data)


def _version(data: bytes) -> int:
    if len(data) != 1:
        raise SessionBroken("the card's key version has a wrong length; tap again")
    return data[0]
