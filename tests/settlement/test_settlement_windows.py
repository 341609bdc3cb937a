"""A window is settled exactly once, whoever asks how often; and what it says is covered by the ledger's chain."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from keys.clock import Day
from keys.money import Sen
from ledger.transfer import Result
from settlement import store
from settlement.errors import FeeUnknown, ParticipantInvalid, ParticipantUnknown
from settlement.fee_book import FeeBook
from settlement.fees import COLUMNS, FeeTable
from settlement.night.running import Night
from settlement.participants import Participants
from settlement.payments.rails import RailRules
from settlement.rulebook.book import Rulebook
from settlement.view import view
from settlement.windows import Plan, SettleWindow, plan
from tests.settlement.town import BNI, DAY, JATENG, MANDIRI, SHOP, Taps, sums_of

if TYPE_CHECKING:
    from tests.settlement.town import Stage


def planned(stage: Stage) -> Plan:
    window = stage.ledger.close_window(DAY)
    found = sums_of(stage.ledger.rows(DAY), stage.participants)
    return plan(window, found, stage.participants, RailRules())


def settlements(stage: Stage) -> list[Day]:
    with stage.ledger.database.transaction() as connection:
        return store.settled_days(connection)


def test_settling_a_window_twice_posts_its_entries_once(stage: Stage) -> None:
    same = planned(stage)
    units = [SettleWindow(same), SettleWindow(same)]
    answers = [stage.ledger.writer.submit(unit) for unit in units]
    assert [answer.result() for answer in answers] == [Result.POSTED] * 2
    assert len(stage.ledger.rows(Day(DAY + 1))) == len(same.transfers)
    assert settlements(stage) == [DAY]


def test_two_nights_at_the_same_time_settle_once(stage: Stage) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: stage.night.run(DAY), range(2))
    assert first == second
    assert len(stage.ledger.rows(Day(DAY + 1))) == first.entries


def test_entries_that_the_ledger_refuses_leave_no_trace(stage: Stage) -> None:
    good = planned(stage)
    bad = good.transfers.copy()
    bad["amount"][-1] = 0
    head = stage.ledger.head()
    unit = SettleWindow(replace(good, transfers=bad))
    assert stage.ledger.writer.submit(unit).result() is Result.AMOUNT_NOT_POSITIVE
    assert (settlements(stage), stage.ledger.head()) == ([], head)
    assert stage.night.run(DAY).entries == len(good.transfers)


def test_the_chain_covers_positions_and_the_digests_of_the_payment_files(stage: Stage) -> None:
    document = json.loads(planned(stage).document)
    stage.night.run(DAY)
    night = view(stage.ledger.database, DAY)
    assert night is not None
    assert document["settle"] == "2026-11-18"
    assert document["payment_files"] == {file.name: file.sha256 for file in night.payment_files}
    assert [row[-1] for row in document["positions"]] == [position.net for position in night.positions]


def test_the_same_rows_give_the_same_plan(stage: Stage) -> None:
    first, second = planned(stage), planned(stage)
    assert (first.document, first.record) == (second.document, second.record)
    assert first.transfers.tobytes() == second.transfers.tobytes()


def test_a_night_that_lacks_a_rate_settles_nothing_and_can_be_run_later(stage: Stage) -> None:
    poor = Night(stage.ledger, stage.participants, FeeTable([]), stage.out)
    with pytest.raises(FeeUnknown, match="fee table has no rate for"):
        poor.run(DAY)
    assert settlements(stage) == []
    assert stage.night.run(DAY).positions > 0


def test_a_half_written_draft_of_a_crashed_run_is_no_payment_file(stage: Stage) -> None:
    stage.out.mkdir()
    draft = stage.out / ".pain001-20261118-0009.xml.part"
    draft.write_bytes(b"half")
    stage.night.run(DAY)
    assert not list(stage.out.glob("pain001-*.xml"))
    stage.release()
    assert not draft.exists()
    assert len(list(stage.out.glob("pain001-*.xml"))) == 3


def test_more_refunds_than_sales_are_asked_back(stage: Stage) -> None:
    stage.night.run(DAY)
    taps = Taps(Day(DAY + 1))
    taps.refund(BNI, 1, 10_000)
    stage.ledger.post(taps.made)
    stage.night.run(Day(DAY + 1))
    night = view(stage.ledger.database, Day(DAY + 1))
    assert night is not None
    assert [(item.bank, item.amount, item.name) for item in night.items if item.rail is None] == [
        (MANDIRI, Sen(993_000), "Toko Oen"),
        (BNI, Sen(1_000_000), "Bank Mandiri"),
    ]
    (file,) = night.payment_files
    assert (file.bank, file.total) == (MANDIRI, Sen(1_000_000))


def test_participants_are_unique_and_at_known_banks(city: Participants) -> None:
    banks, operators = list(city.banks.values()), list(city.operators.values())
    with pytest.raises(ParticipantInvalid, match="two participants have number 12"):
        Participants(
            banks=banks, operators=[*operators, operators[0]], merchants=[], agents=[], city=city.city
        )
    with pytest.raises(ParticipantInvalid, match="bank 0113"):
        Participants(banks=banks[:1], operators=[], merchants=[], agents=[], city=city.city)
    with pytest.raises(ParticipantUnknown, match="9999"):
        city.bank(9999)


def test_our_account_is_known_with_or_without_leading_zeros(city: Participants) -> None:
    found = [city.bank_with_account(account) for account in ("0099001122", "99001122", "1130014455", "77")]
    assert [bank.code if bank else None for bank in found] == [BNI, BNI, JATENG, None]


def test_a_night_takes_the_rates_of_the_citys_own_table(stage: Stage) -> None:
    rulebook = Rulebook(stage.ledger.database)
    own = f"{','.join(COLUMNS)}\nUKE,2026-11-18,10,0,0,0,0\n"
    FeeBook(stage.ledger.database, rulebook).bring(own, author="Ratna", reason="decree", at=stage.clock.at)
    Night(stage.ledger, stage.participants, None, stage.out).settle(DAY)
    night = view(stage.ledger.database, DAY)
    assert night is not None
    sold = [one for one in night.positions if one.number == SHOP]
    assert sum(one.fee for one in sold) * 10 == sum(one.gross - one.refunds for one in sold) > 0
