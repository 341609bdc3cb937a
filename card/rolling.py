"""Give a card of the city newer keys from afar, level by level: its application, the chip itself, the application for phones.

At each level every key is changed by a command of its own, the one that the session stands on last. A chip changes one key wholly or not at all, so that a card that is torn
on the way has old and new keys side by side, each of them known to the vaults. What the card says of its versions without a session is a hint, for whoever carries the bytes
can change it; what it says or does in a session under its first key is proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from card import client, files, management, ndef
from card.apdu import Ins, wrap
from card.errors import SessionBroken
from card.far import FarSession, Script, proven, whole
from card.layout import AID
from card.personalise import PICC_LEVEL, key_of
from keys.errors import VaultError
from keys.vault import Role

if TYPE_CHECKING:
    from keys.vault import CardKey, Vault

_AUTHENTICATE: Final = wrap(Ins.AUTHENTICATE_EV2_FIRST, bytes(2))


@dataclass(frozen=True, slots=True)
class Level:
    """A set of keys on the card: what selects it, the roles of its keys by number, and how ChangeKey calls the first."""

    aid: bytes
    roles: tuple[Role, ...]
    first: int = 0


APPLICATION: Final = Level(AID, (Role.MASTER, *files.KEY_ROLES))
CHIP: Final = Level(PICC_LEVEL, (Role.PICC,), management.PICC_KEY_NO)
PHONE: Final = Level(ndef.AID, (Role.MASTER, Role.META_READ, Role.FILE_READ))


@dataclass(frozen=True, slots=True)
class Opened:
    """A card in a session under a level's first key, and the versions that it named: the first is proved, the others are hints."""

    uid: bytes
    level: Level
    session: FarSession
    told: bytes


def opened(vault: Vault, uid: bytes, level: Level = APPLICATION) -> Script[Opened]:
    """Ask for a level's versions, and open a session under the first key that the card has there.

    Raises CardError, VaultError (a version of the first key that is unknown or retired).
    """
    ask = [
        wrap(Ins.SELECT_APPLICATION, level.aid[::-1]),
        *(wrap(Ins.GET_KEY_VERSION, bytes((number,))) for number in range(len(level.roles))),
        _AUTHENTICATE,
    ]
    _, *versions, challenge = whole((yield ask), ask)
    told = bytes(_version(client.answered(one)[1]) for one in versions)
    session = yield from proven(challenge, key_of(vault, level.roles[0], told[0], uid))
    return Opened(uid, level, session, told)


def changed(far: Opened, vault: Vault, wanted: bytes) -> Script[bytes]:
    """Bring every key that is older to a wanted version; the versions of the level's keys as the card has proved them.

    A key whose version no vault can use any more is left as it is. Raises CardError: the next load goes on where the card is then.
    """
    level, others = far.level, range(1, len(far.level.roles))
    pairs = [_pair(far, vault, number, wanted[number]) for number in range(len(level.roles))]
    ask = [_command(far.session, number, pairs[number]) for number in others]
    own = pairs[0]
    if own is not None:
        ask += [far.session.change_key(level.first, own[0], None), _AUTHENTICATE]
    if not ask:
        return far.told
    answers = whole((yield ask), ask)
    versions = [_proved(far.session, pairs[n], answers[n - 1], wanted[n]) for n in others]
    if own is None:
        return bytes((far.told[0], *versions))
    client.answered(answers[-2])
    yield from proven(answers[-1], own[0])
    return bytes((wanted[0], *versions))


def _pair(far: Opened, vault: Vault, number: int, target: int) -> tuple[CardKey, CardKey] | None:
    """New and old key where the card's is older and both can be used."""
    role, told = far.level.roles[number], far.told[number]
    if told >= target:
        return None
    try:
        return key_of(vault, role, target, far.uid), key_of(vault, role, told, far.uid)
    except VaultError:
        return None


def _command(session: FarSession, number: int, pair: tuple[CardKey, CardKey] | None) -> bytes:
    """ChangeKey, or the question for the version: either answer is under the session's MAC."""
    if pair is None:
        return session.command(Ins.GET_KEY_VERSION, bytes((number,)))
    return session.change_key(number, *pair)


def _proved(session: FarSession, pair: tuple[CardKey, CardKey] | None, answer: bytes, wanted: int) -> int:
    data = session.opened(answer)
    return wanted if pair is not None else _version(data)


def _version(data: bytes) -> int:
    if len(data) != 1:
        raise SessionBroken("the card's key version has a wrong length; tap again")
    return data[0]
