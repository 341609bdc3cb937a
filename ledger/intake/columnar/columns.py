"""A batch's records as columns, and which of them are proven: signed by their cards, and nothing but what their terminal says and may do.

What is proven here needs no look at a single record. The rest is for `ledger.intake.assess`.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Protocol, Self, runtime_checkable

import numpy as np

from keys.errors import KeyMissing, KeyRetired
from keys.rights import Right
from ledger.intake.bounds import RIGHTS
from ledger.intake.columnar import fields as f
from ledger.intake.columnar.cards import UNKNOWN
from ledger.intake.columnar.reading import read

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from keys.identity import TerminalCertificate
    from ledger.intake.columnar.cards import CardColumns

    Octets = npt.NDArray[np.uint8]
    Integers = npt.NDArray[np.int64]
    Flags = npt.NDArray[np.bool_]

DEBITS: Final = tuple(sorted(kind for kind in RIGHTS if not kind.credits_card))
"""Kinds whose cards pay: the others may rest on a hold, or tell of a blocked card, and are looked at one by one."""
_TMV: Final = np.arange(8)
_UID: Final = np.arange(7)


@runtime_checkable
class ManyMacs(Protocol):
    """A vault that gives many Transaction MAC Values at once: `keys.ledgervault`."""

    def transaction_macs(
        self, version: int, uids: Octets, tmcs: Integers, data: Octets, starts: Integers, ends: Integers
    ) -> Octets:
        """Values, 8 bytes each; raises KeyMissing, KeyRetired."""


class Columns:
    """The records of one batch. `at` holds the columns (`fields`), `places` the cards', `plain` what is proven so far."""

    def __init__(self, raws: Sequence[bytes], first_sequence: int) -> None:
        self.raws = raws
        self.data = b"".join(raws)
        self.first_sequence = first_sequence
        self.octets: Octets = np.frombuffer(self.data, np.uint8)
        ends = np.cumsum(np.fromiter(map(len, raws), np.int64, len(raws)))
        starts = np.zeros_like(ends)
        starts[1:] = ends[:-1]
        self.at, self.groups = read(self.octets, starts, ends, first_sequence)
        self.plain: Flags = self.at[f.PLAIN] == 1
        self.places: Integers = np.full(len(raws), UNKNOWN, np.int64)
        self.identities: list[bytes] = []

    def prove(self, certificate: TerminalCertificate, cards: CardColumns, vault: object) -> Self:
        """Keep as plain what is a known card's debit, as the terminal claims it and may make it, and signed by the chip."""
        if not isinstance(vault, ManyMacs):
            self.plain[:] = False
            return self
        self.places = cards.places(self.at[f.UID])
        self.plain &= self.places != UNKNOWN
        if self.plain.any():
            numbers = cards.columns.number[self.places]
            self.plain &= (
                (numbers == self.at[f.CARD_NUMBER])
                & self._claims_hold(certificate)
                & self._allowed(certificate)
            )
            self._check_macs(cards.columns.key_version[self.places], vault)
        self.identities = self._digests()
        return self

    def _claims_hold(self, certificate: TerminalCertificate) -> Flags:
        """`ledger.intake.assess.claims_differ`, by columns; no plain record names an authorisation."""
        at = self.at
        hold: Flags = (
            (at[f.AMOUNT] == at[f.MOVED])
            & (at[f.KIND] == at[f.SIGNED_KIND])
            & (at[f.TERMINAL] == certificate.terminal)
            & (at[f.SEQUENCE] == np.arange(self.first_sequence, self.first_sequence + len(self.raws)))
            & (at[f.OCCURRED_AT] // 1000 == at[f.SIGNED_AT])
            & (at[f.AUTHORISATION] == 0)
        )
        return hold

    def _allowed(self, certificate: TerminalCertificate) -> Flags:
        """A debit that the terminal may make, on a route that is its own (`ledger.intake.bounds`)."""
        rights = certificate.rights
        kinds = [kind for kind in DEBITS if RIGHTS[kind] in rights.kinds]
        allowed = np.isin(self.at[f.KIND], kinds)
        if rights.routes:
            fares = [kind for kind in DEBITS if RIGHTS[kind] is Right.FARE]
            allowed &= np.isin(self.at[f.ROUTE], list(rights.routes)) | ~np.isin(self.at[f.KIND], fares)
        return allowed

    def _check_macs(self, versions: Integers, vault: ManyMacs) -> None:
        for version in np.unique(versions[self.plain]).tolist():
            rows = np.flatnonzero(self.plain & (versions == version))
            try:
                self.plain[rows] = self._signed(rows, version, vault)
            except (KeyMissing, KeyRetired):
                self.plain[rows] = False

    def _signed(self, rows: Integers, version: int, vault: ManyMacs) -> Flags:
        """True where the chip gave this value; every byte of every value is compared, whatever the ones before were."""
        at = self.at[:, rows]
        uids = self.octets[at[f.UID_AT][:, None] + _UID]
        macs = vault.transaction_macs(version, uids, at[f.TMC], self.octets, at[f.TMI_AT], at[f.TMI_END])
        claimed = self.octets[at[f.TMV_AT][:, None] + _TMV]
        same: Flags = np.bitwise_or.reduce(macs ^ claimed, axis=1) == 0
        return same

    def _digests(self) -> list[bytes]:
        """What tells two transactions at one counter apart (`ledger.intake.assess.identity_of`); b"" where not plain."""
        data, sha = self.data, hashlib.sha256
        starts, ends, values = (self.at[name].tolist() for name in (f.TMI_AT, f.TMI_END, f.TMV_AT))
        return [
            sha(data[start:end] + data[value : value + 8]).digest() if plain else b""
            for plain, start, end, value in zip(self.plain.tolist(), starts, ends, values, strict=True)
        ]
