"""Each database finds what is sealed in an older form, and nothing else; and a bank's link is sealed anew as holders' data is."""

from __future__ import annotations

from dataclasses import replace

from keys.clock import Day, UnixMs
from ledger.cardholder import records
from ledger.cardholder.records import DisputeRow, HolderRow
from ledger.cardholder.savings import Consent, LinkState
from ledger.store import Database
from settlement.saving import store as links
from settlement.saving.store import Link
from tests.ledger.conftest import postgres, whole_url

__all__ = ["postgres", "whole_url"]
OLD = bytes((1,)) + bytes(47)
"""Whole blocks, and a first byte like a form's: from before forms had numbers."""
NEW, NEXT = bytes((1,)) + bytes(48), bytes((2,)) + bytes(48)
SEALS = {1: OLD, 2: NEW, 3: NEXT, 4: b""}


def test_what_is_sealed_in_an_older_form_is_found_on_each_database(whole_url: str) -> None:
    database, day = Database(whole_url), Day(20_800)
    with database.writing() as connection:
        for uid, sealed in SEALS.items():
            records.put_holder(
                connection, HolderRow(uid % 3, uid, sealed, "registration", UnixMs(1), UnixMs(0))
            )
            report = DisputeRow(
                uid % 3, uid.to_bytes(32, "big"), uid, 2, "fare", sealed, UnixMs(1), day, "open"
            )
            records.add_dispute(connection, report)
            consent = Link(uid % 3, uid, 1, "bni", LinkState.ACTIVE, tuple(Consent), UnixMs(1), sealed=sealed)
            links.put_link(connection, consent)
    with database.transaction() as connection:
        for form, found in ((1, {1, 3}), (2, {1, 2})):
            assert {one.uid for one in records.holders_sealed_otherwise(connection, form, 9)} == found
            assert {one.uid for one in records.disputes_sealed_otherwise(connection, form, 9)} == found
            assert {one.uid for one in links.links_sealed_otherwise(connection, form, 9)} == found
        assert len(records.holders_sealed_otherwise(connection, 1, 1)) == 1
        assert len(records.disputes_sealed_otherwise(connection, 1, 1)) == 1
    _words_are_kept(database)
    database.close()


def _words_are_kept(database: Database) -> None:
    with database.writing() as connection:
        row = records.disputes_sealed_otherwise(connection, 1, 9)[0]
        records.keep_words(connection, replace(row, words=b"another"), NEW)
        assert records.disputes_of(connection, row.partition, row.uid)[0].words == row.words
        records.keep_words(connection, row, NEW)
        assert records.disputes_of(connection, row.partition, row.uid)[0] == replace(row, words=NEW)
