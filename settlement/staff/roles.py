"""Roles and what each may do. A person has one or two roles; four eyes are two persons, never two roles of one."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from keys.quoting import quoted
from settlement.errors import StaffRefused

if TYPE_CHECKING:
    from collections.abc import Iterable


class Role(StrEnum):
    """What somebody is at the bank."""

    MAKER = "maker"
    CHECKER = "checker"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


class Right(StrEnum):
    """What a page or an action asks for."""

    LOOK = "look"  # see everything that is settled and matched
    WORK = "work"  # import, match, comment, own, propose
    APPROVE = "approve"  # approve or reject what somebody else proposed; release payments
    AUDIT = "audit"  # see the log of what everybody did
    ACCOUNTS = "accounts"  # make, disable and reset accounts; nothing else


_RIGHTS: Final = {
    Role.MAKER: frozenset({Right.LOOK, Right.WORK}),
    Role.CHECKER: frozenset({Right.LOOK, Right.APPROVE}),
    Role.AUDITOR: frozenset({Right.LOOK, Right.AUDIT}),
    Role.ADMINISTRATOR: frozenset({Right.ACCOUNTS}),
}
ALONE: Final = frozenset({Role.AUDITOR, Role.ADMINISTRATOR})
"""Who watches or lets in does not work beside it."""

Roles = frozenset[Role]


def rights_of(roles: Iterable[Role]) -> frozenset[Right]:
    """Everything that somebody with these roles may do."""
    return frozenset().union(*(_RIGHTS[role] for role in roles))


def read_roles(text: str) -> Roles:
    """Roles of a list with commas, such as `maker,checker`.

    Raises StaffRefused where one is none, there is none at all, or auditor or administrator stands beside another.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    known = {role.value: role for role in Role}
    if not names or any(name not in known for name in names):
        raise StaffRefused(f"{quoted(text)} are no roles: take maker, checker, auditor or administrator")
    roles = frozenset(known[name] for name in names)
    if len(roles) > 1 and roles & ALONE:
        raise StaffRefused("auditor and administrator stand alone: give the other role to somebody else")
    return roles


def written(roles: Roles) -> str:
    """Roles as they are stored and shown: `checker,maker`."""
    return ",".join(sorted(roles))
