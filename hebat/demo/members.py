"""The demo's own staff: a maker, a checker and an auditor, with passwords drawn for this demo alone."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from settlement.staff.log import Said
from settlement.staff.roles import Role

if TYPE_CHECKING:
    from settlement.staff.office import StaffOffice

PASSWORD_BYTES: Final = 12
ROLES: Final = (Role.MAKER, Role.CHECKER, Role.AUDITOR)
_BY: Final = Said("demo", "shell", "")


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who works in the demo, and how they sign in."""

    name: str
    password: str = field(repr=False)
    codes: tuple[str, ...] = field(repr=False)
    secret: str = field(repr=False)


def members(office: StaffOffice) -> tuple[Member, ...]:
    """Make one of each role, enrolled, named after it."""
    made = []
    for role in ROLES:
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        enrolment, codes = office.add_enrolled(role.value, frozenset({role}), password, _BY)
        made.append(Member(role.value, password, codes, enrolment.secret))
    return tuple(made)
