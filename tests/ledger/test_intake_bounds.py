"""What a terminal may do, and when: by its certificate, held against real batches of real cards (decision 0012)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest

from card import purse as flows
from card.batch import (
    CONTENT_TYPE,
    FIRST_DIGEST,
    Context,
    RecordStatus,
    TapRecord,
    encode_batch,
    encode_record,
)
from card.layout import TapKind
from card.purse import Change
from hebat.application import application
from hebat.demo import town
from hebat.folder import Folder
from hebat.serving import LoopbackServer
from hebat.wiring import City
from keys import envelope
from keys.clock import UnixMs, day_of
from keys.identity import TerminalIdentity, read_certificate
from keys.money import Rupiah
from keys.rights import Right, Rights, TerminalRole
from keys.vault import Role
from ledger.chart import Code, issuer_of, purse, split
from ledger.errors import SignatureRefused, TerminalUnknown
from ledger.intake.bounds import LATE_DAYS
from ledger.intake.quarantine import store as quarantine
from ledger.intake.reasons import ExceptionKind, Reason
from ledger.intake.registry import revoke
from ledger.store import Database
from ledger.transfer import Kind
from tests.founding import found
from tests.ledger.desk import DAY, MERCHANT, NOON, OPERATOR, Desk, Scene, open_scene
from tests.ledger.limited import Limited

if TYPE_CHECKING:
    from pathlib import Path

    from hebat.issuing import Issued
    from ledger.errors import BatchRefused

DAY_MS = 86_400_000
ENDS = UnixMs(NOON + 30 * DAY_MS)
AGENT = town.AGENT


def in_books(scene: Scene, card: Issued) -> int:
    account = purse(card.identity.card_number)
    return scene.city.ledger.balance(account).net(account) // 100


def raised(scene: Scene) -> list[ExceptionKind]:
    with scene.city.ledger.database.transaction() as connection:
        rows = quarantine.read_exceptions(connection)
    return [row.kind for row in rows if row.kind is not ExceptionKind.LOAD_UNAUTHORISED]


def expect_refused(scene: Scene, body: bytes, error: type[BatchRefused], match: str) -> None:
    """A batch is refused with a reason, and kept byte for byte."""
    with pytest.raises(error, match=match):
        scene.city.intake.receive(body)
    with scene.city.ledger.database.transaction() as connection:
        assert body in [row.body for row in quarantine.read_refused(connection)]


# What it may do


@pytest.mark.parametrize("kind", [TapKind.FARE, TapKind.TAP_OUT])
def test_law_05_a_debit_without_the_right_is_posted_to_suspense_and_nobody_earns_it(
    scene: Scene, kind: TapKind
) -> None:
    card, till = scene.card(loaded=50_000), scene.desk(2001, TerminalRole.MERCHANT, MERCHANT)
    till.tap(card, kind, 3_500)
    assert till.send().results[0]["result"] == "posted"
    assert in_books(scene, card) == card.chip_balance == 46_500
    row = scene.city.ledger.rows()[-1]
    to = split(row["credit"])
    assert (to.code, to.number) == (Code.SUSPENSE, issuer_of(purse(card.identity.card_number)))
    assert Kind(int(row["kind"])) is Kind.FARE
    assert raised(scene) == [ExceptionKind.RIGHT_MISSING]


def test_a_bus_that_sells_earns_its_operator_nothing_and_the_night_still_settles(scene: Scene) -> None:
    card, bus = scene.card(loaded=50_000), scene.desk()
    bus.tap(card, TapKind.SALE, 3_500)
    bus.tap(card, TapKind.FARE, 3_500)
    bus.send()
    scene.city.night.settle(day_of(DAY))
    trial = {line.code: line for line in scene.city.ledger.trial_balance().lines}
    assert trial[Code.OPERATOR_PAYABLE].credits == trial[Code.SUSPENSE].credits == 350_000
    assert raised(scene) == [ExceptionKind.RIGHT_MISSING]


def test_an_unconfirmed_debit_without_the_right_is_settled_to_suspense_too(scene: Scene) -> None:
    card, till, bus = (
        scene.card(loaded=50_000),
        scene.desk(2001, TerminalRole.MERCHANT, MERCHANT),
        scene.desk(),
    )
    till.tap(card, TapKind.FARE, 3_500, confirmed=False)
    assert till.send().results[0]["reason"] == Reason.UNCONFIRMED
    bus.tap(card, TapKind.FARE, 3_500)
    bus.send()
    assert in_books(scene, card) == card.chip_balance == 43_000
    assert sorted(raised(scene)) == [ExceptionKind.INTENT_SETTLED, ExceptionKind.RIGHT_MISSING]


@pytest.mark.parametrize("kind", [TapKind.LOAD, TapKind.REFUND])
def test_law_06_value_that_a_terminal_had_no_right_to_give_is_kept_not_posted(
    scene: Scene, kind: TapKind
) -> None:
    card, bus = scene.card(loaded=50_000), scene.desk()
    bus.tap(card, kind, 3_500)
    assert bus.send().results[0]["reason"] == Reason.ROLE_FORBIDDEN
    assert in_books(scene, card) == 50_000


def test_a_till_without_the_right_to_refund_may_still_sell(scene: Scene) -> None:
    rights = Rights(frozenset({Right.SALE}), Rupiah(9_000))
    till = Limited(scene).desk(2001, TerminalRole.MERCHANT, MERCHANT, rights)
    card = scene.card(loaded=50_000)
    till.tap(card, TapKind.SALE, 2_000)
    till.tap(card, TapKind.REFUND, 2_000)
    assert [result["result"] for result in till.send().results] == ["posted", "quarantined"]
    assert in_books(scene, card) == 48_000


# How much


def test_law_05_debits_beyond_the_days_limit_are_posted_with_an_exception_each(scene: Scene) -> None:
    bus, card = Limited(scene).bus(limit=10_000), scene.card(loaded=50_000)
    for _ in range(3):
        bus.tap(card, TapKind.FARE, 3_500)
        bus.send()
    bus.tap(card, TapKind.FARE, 3_500)
    bus.send()
    assert in_books(scene, card) == card.chip_balance == 36_000
    assert raised(scene) == [ExceptionKind.OVER_DAILY_LIMIT, ExceptionKind.OVER_DAILY_LIMIT]


def test_the_days_limit_counts_by_service_day_within_one_batch_and_after_a_restart(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "city")
    first = open_scene(folder, fresh=True)
    with first.city:
        bus, card = Limited(first).bus(limit=7_000), first.card(loaded=50_000)
        for hours in (0, 0, 24):
            at = UnixMs(NOON + hours * 3_600_000)
            first.clock.move_to(at)
            bus.tap(card, TapKind.FARE, 3_500, at=at)
        bus.send()
        assert raised(first) == []
    again = open_scene(folder, fresh=False)
    with again.city:
        again.clock.move_to(UnixMs(NOON + DAY_MS))
        bus.city = again.city
        bus.tap(card, TapKind.FARE, 7_000)
        bus.send()
        assert raised(again) == [ExceptionKind.OVER_DAILY_LIMIT]


def test_a_refund_beyond_the_days_limit_is_kept_and_counts_no_further(scene: Scene) -> None:
    rights = Rights.of_role(TerminalRole.MERCHANT, Rupiah(10_000))
    till, card = Limited(scene).desk(2001, TerminalRole.MERCHANT, MERCHANT, rights), scene.card(loaded=50_000)
    till.tap(card, TapKind.REFUND, 10_001)
    till.tap(card, TapKind.REFUND, 9_999)
    results = till.send().results
    assert [result["result"] for result in results] == ["quarantined", "posted"]
    assert results[0]["reason"] == Reason.OVER_DAILY_LIMIT
    assert in_books(scene, card) == 59_999


def test_a_load_that_nobody_authorised_is_kept_beyond_the_days_limit(scene: Scene) -> None:
    rights = Rights.of_role(TerminalRole.KIOSK, Rupiah(60_000))
    kiosk, card = Limited(scene).desk(3001, TerminalRole.KIOSK, AGENT, rights), scene.card()
    kiosk.tap(card, TapKind.LOAD, 50_000)
    kiosk.tap(card, TapKind.LOAD, 50_000)
    results = kiosk.send().results
    assert (results[0]["result"], results[1]["reason"]) == ("posted", Reason.OVER_DAILY_LIMIT)


# Where


def ride(desk: Desk, card: Issued, route: int) -> None:
    """A fare whose log record names a route, as every terminal writes it."""
    card.chip.leave_field()
    open_ = flows.open_card(card.chip, desk.city.vault, Role.DEBIT)
    at = desk.city.clock.now()
    change = Change(TapKind.FARE, Rupiah(3_500), None, desk.number, desk.sequence, at, route << 32 | 7)
    intent = open_.stage(change)
    tmv = open_.commit().tmv
    desk.add(
        TapRecord(
            desk.sequence, RecordStatus.CONFIRMED, TapKind.FARE, card.chip.uid, intent.tmc, tmv, intent.tmi,
            intent.change.signed_amount, at, intent.seen.tmc, intent.seen.tmv, Context("1", "", "", ""),
        )
    )  # fmt: skip


def test_a_fare_outside_the_terminals_routes_is_posted_with_an_exception(scene: Scene) -> None:
    bus, card = Limited(scene).bus(routes=(1, 2)), scene.card(loaded=50_000)
    for route in (1, 2, 3):
        ride(bus, card, route)
    assert [result["result"] for result in bus.send().results] == ["posted"] * 3
    assert raised(scene) == [ExceptionKind.OUTSIDE_AREA]
    assert in_books(scene, card) == card.chip_balance


def test_the_word_of_the_terminal_does_not_move_it_onto_its_route(scene: Scene) -> None:
    bus, card = Limited(scene).bus(routes=(1,)), scene.card(loaded=50_000)
    bus.tap(card, TapKind.FARE, 3_500)  # its context says route 1, what the card signed names none
    bus.send()
    assert raised(scene) == [ExceptionKind.OUTSIDE_AREA]


# When: certificates end, batches come late, clocks lie


def late_batch(scene: Scene, signed: UnixMs, tapped: UnixMs) -> bytes:
    desk, card = scene.desk(), scene.card(loaded=50_000)
    scene.clock.move_to(signed)
    desk.tap(card, TapKind.FARE, 3_500, at=tapped)
    return desk.body()


@pytest.mark.parametrize("late_ms", [0, 1, DAY_MS, LATE_DAYS * DAY_MS - 1000])
def test_a_batch_signed_before_its_certificate_ended_may_come_later(scene: Scene, late_ms: int) -> None:
    signed = UnixMs(ENDS - 1000)
    body = late_batch(scene, signed, signed)
    scene.clock.move_to(UnixMs(ENDS + late_ms))
    assert scene.city.intake.receive(body).results[0]["result"] == "posted"
    assert raised(scene) == []


def test_a_batch_signed_before_the_end_is_refused_and_kept_once_fourteen_days_have_gone(scene: Scene) -> None:
    signed = UnixMs(ENDS - 1000)
    body = late_batch(scene, signed, signed)
    scene.clock.move_to(UnixMs(ENDS + LATE_DAYS * DAY_MS))
    expect_refused(scene, body, TerminalUnknown, "more than 14 days ago")


def test_a_batch_signed_after_the_end_is_refused_and_kept(scene: Scene) -> None:
    body = late_batch(scene, ENDS, UnixMs(ENDS - 1000))
    expect_refused(scene, body, TerminalUnknown, "out of date")


def test_a_clock_set_back_makes_no_ended_certificate_good_for_long(scene: Scene) -> None:
    desk, card = scene.desk(), scene.card(loaded=50_000)
    desk.tap(card, TapKind.FARE, 3_500, at=NOON)
    body = desk.body()  # the thief's clock says noon of the first day, for ever
    scene.clock.move_to(UnixMs(ENDS + 20 * DAY_MS))
    expect_refused(scene, body, TerminalUnknown, "kept, ask for help")


def test_a_clock_that_went_back_is_shown_once_and_nothing_is_refused(scene: Scene) -> None:
    bus, card = scene.desk(), scene.card(loaded=50_000)
    bus.tap(card, TapKind.FARE, 1_000)
    bus.send()
    scene.clock.move_to(UnixMs(NOON + DAY_MS))
    for minutes in (0, -60, -59, -58):
        bus.tap(card, TapKind.FARE, 1_000, at=UnixMs(NOON + DAY_MS + minutes * 60_000))
        bus.send()
    assert in_books(scene, card) == card.chip_balance == 45_000
    assert raised(scene) == [ExceptionKind.CLOCK_WRONG]


def test_a_clock_that_runs_ahead_is_shown(scene: Scene) -> None:
    bus, card = scene.desk(), scene.card(loaded=50_000)
    bus.tap(card, TapKind.FARE, 1_000, at=UnixMs(NOON + 4 * 60_000))
    bus.tap(card, TapKind.FARE, 1_000, at=UnixMs(NOON + 6 * 60_000))
    bus.send()
    assert raised(scene) == [ExceptionKind.CLOCK_WRONG]


@pytest.mark.parametrize(("kind", "result"), [(TapKind.SALE, "posted"), (TapKind.REFUND, "quarantined")])
def test_what_a_terminal_says_it_did_before_it_was_one_is_posted_only_where_the_card_has_paid(
    scene: Scene, kind: TapKind, result: str
) -> None:
    till, card = scene.desk(2001, TerminalRole.MERCHANT, MERCHANT), scene.card(loaded=50_000)
    till.tap(card, kind, 1_000, at=UnixMs(NOON - DAY_MS))
    answered = till.send().results[0]
    assert answered["result"] == result
    assert in_books(scene, card) == (49_000 if result == "posted" else 50_000)
    if result == "posted":
        assert raised(scene) == [ExceptionKind.OUTSIDE_VALIDITY]
    else:
        assert answered["reason"] == Reason.OUTSIDE_VALIDITY


# Who


def test_a_certificate_of_another_citys_authority_is_no_certificate_here(
    scene: Scene, tmp_path: Path
) -> None:
    other = Folder(tmp_path / "other")
    found(other, scene.clock, "demo")
    identity = TerminalIdentity(tmp_path / "theirs")
    with City(other, scene.city.configuration, scene.clock) as theirs:
        pem = theirs.authority.enrol(identity.request(), 1001, TerminalRole.VALIDATOR, OPERATOR)
        certificate = read_certificate(pem, theirs.root)
    desk, card = Desk(scene.city, 1001, identity), scene.card(loaded=50_000)
    desk.tap(card, TapKind.FARE, 3_500)
    expect_refused(scene, desk.body(), TerminalUnknown, "not enrolled here")
    scene.city.registry.add_terminal(certificate)  # even where somebody smuggles it into the tables
    expect_refused(scene, desk.body(), TerminalUnknown, "not of this city's terminal authority")


def test_a_batch_that_claims_another_terminals_number_is_refused_in_both_ways(scene: Scene) -> None:
    thief, victim, card = scene.desk(1001), scene.desk(1002), scene.card(loaded=50_000)
    thief.tap(card, TapKind.FARE, 3_500)
    expect_refused(scene, signed_as(thief, inside=1002, kid=1002), SignatureRefused, "not terminal 1002's")
    expect_refused(scene, signed_as(thief, inside=1002, kid=1001), SignatureRefused, "in the name of 1002")
    victim.tap(card, TapKind.FARE, 3_500)
    assert victim.send().results[0]["result"] == "posted"


def signed_as(desk: Desk, inside: int, kid: int) -> bytes:
    """A desk's records under one number in the batch, and one on the envelope."""
    records = [encode_record(record) for record in desk.records]
    payload = encode_batch(inside, 1, FIRST_DIGEST, desk.city.clock.now(), records)
    sign = desk.identity.sign
    return envelope.seal(payload, kid=kid.to_bytes(4, "big"), sign=sign, content_type=CONTENT_TYPE)


def test_a_revocation_by_another_process_holds_from_the_next_batch_on(scene: Scene) -> None:
    bus, card = scene.desk(), scene.card(loaded=50_000)
    bus.tap(card, TapKind.FARE, 3_500)
    assert bus.send().results[0]["result"] == "posted"
    elsewhere = Database(scene.city.folder.database_url)
    revoke(elsewhere, 1001, scene.clock.now())
    bus.tap(card, TapKind.FARE, 3_500)
    expect_refused(scene, bus.body(), TerminalUnknown, r"revoked on 2026-11-18 12:00: its batches are kept")


def test_a_revoked_terminals_refusal_is_told_over_http(scene: Scene) -> None:
    bus = scene.desk()
    bus.tap(scene.card(loaded=50_000), TapKind.FARE, 3_500)
    scene.city.registry.revoke(1001, scene.clock.now())
    with LoopbackServer(application(scene.city)) as server:
        answer = httpx2.post(
            f"{server.address}/v1/batches",
            content=bus.body(),
            headers={"Content-Type": "application/cose"},
            timeout=60,
        )
    assert (answer.status_code, "was revoked" in answer.json()["detail"]) == (403, True)
    assert answer.headers["content-type"] == "application/problem+json"
