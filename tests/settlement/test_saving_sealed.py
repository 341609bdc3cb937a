"""A linked account that was sealed before forms had numbers is used as it is, and sealed anew."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ledger.cardholder.savings import LinkState
from ledger.cardholder.sealing import Form, Sealing, form_of
from settlement.saving import store

if TYPE_CHECKING:
    import pytest

    from settlement.saving.store import Link
    from tests.settlement.saved import Saved


def link_of(at: Saved) -> Link:
    with at.banked.ledger.database.transaction() as connection:
        return store.links_in(connection, LinkState.ACTIVE)[0]


def sealed_as_before(at: Saved) -> Link:
    """The link, sealed without a number."""
    link = link_of(at)
    old = Sealing(at.sealing._vault, {0: Form(0)})
    before = replace(
        link, sealed=old.seal("saving", link.uid, at.sealing.open("saving", link.uid, link.sealed))
    )
    with at.banked.ledger.database.writing() as connection:
        store.put_link(connection, before)
    return before


def test_a_link_that_was_sealed_before_forms_had_numbers_is_used_and_sealed_anew(linked: Saved) -> None:
    account = linked.desk.links.account(link_of(linked))
    before = sealed_as_before(linked)
    assert (form_of(before.sealed), linked.desk.links.account(before)) == (0, account)
    assert linked.desk.links.seal_anew() == 1
    after = link_of(linked)
    assert (form_of(after.sealed), linked.desk.links.account(after)) == (1, account)
    assert replace(after, sealed=before.sealed) == before, "nothing else is changed"
    assert linked.desk.links.seal_anew() == 0


def test_a_link_that_ends_meanwhile_stays_ended(linked: Saved, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sealed_as_before(linked)
    ended = replace(before, state=LinkState.REVOKED, sealed=b"")
    real = linked.sealing.renewed

    def late(context: str, uid: int, sealed: bytes) -> bytes:
        with linked.banked.ledger.database.writing() as connection:
            store.put_link(connection, ended)
        return real(context, uid, sealed)

    monkeypatch.setattr(linked.sealing, "renewed", late)
    linked.desk.links.seal_anew()
    with linked.banked.ledger.database.transaction() as connection:
        assert store.link_at(connection, before.partition, before.uid, before.ordinal) == ended
