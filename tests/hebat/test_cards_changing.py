"""The `hebat card` commands that change a card: made, loaded and locked, torn at every place, refused where they must be."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from card import ndef
from card.apdu import Ins
from card.batch import RELAYED_FROM
from card.errors import CardLost
from card.layout import card_number
from card.personalise import personalise
from card.virtual import Generation, VirtualCard
from hebat.cards import making
from hebat.cards.clearing import is_whole
from hebat.cards.counter import COUNTER
from hebat.cards.reading import read_city_card
from hebat.errors import InputRefused
from keys.clock import SystemClock, UnixMs
from keys.money import Rupiah, sen_of
from ledger.chart import purse
from ledger.intake import store
from terminals.tap import Colour

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from terminals.terminal import Terminal


from tests.hebat.card_desk import (
    PLACE,
    UID,
    Desk,
    Ran,
    Scripted,
    counted,
    identity,
    one_sentence,
    opened,
    value_of,
    vault_of,
)

pytest_plugins = ["tests.hebat.card_desk_fixtures"]

# Making a card


def test_a_blank_card_becomes_one_that_the_ledger_knows(
    desk: Desk, hebat: Callable[..., Ran], folder: Path
) -> None:
    desk.cards = [VirtualCard(UID)]
    made = hebat(
        "personalise", "--data", folder, "--issuer", 113, "--concession", "pupil", "--registered", "--json"
    ).json
    with opened(folder) as city:
        known = city.registry.card(int.from_bytes(UID, "big"))
        assert known is not None
        assert known.card_number == made["card_number"] == card_number(113, 1)
        assert city.registry.card_of_token(made["balance_page"].removeprefix("/c/")) == known
    told = hebat("read", "--data", folder, "--json").json
    assert (told["concession"], told["registered"]) == ("pupil", True)


@pytest.mark.parametrize("generation", [Generation.EV2, Generation.EV3])
def test_every_newer_chip_becomes_a_card_as_it_was_delivered(generation: Generation, folder: Path) -> None:
    card = VirtualCard(UID, generation=generation)
    with opened(folder) as city:
        made = making.make(card, city, making.Wanted())
        assert read_city_card(card, city.vault).identity == made.identity
        assert is_whole(card, city.vault)


def test_the_next_card_gets_the_next_serial(
    chip: VirtualCard, desk: Desk, hebat: Callable[..., Ran], folder: Path
) -> None:
    desk.cards = [VirtualCard(UID[:-1] + b"\x77")]
    assert hebat("personalise", "--data", folder, "--json").json["card_number"] == card_number(9, 2)
    desk.cards = [VirtualCard(UID[:-1] + b"\x78")]
    assert "serial 2 of bank 9 is taken" in one_sentence(
        hebat("personalise", "--data", folder, "--serial", 2)
    )


def test_a_chip_is_issued_once(chip: VirtualCard, hebat: Callable[..., Ran], folder: Path) -> None:
    before = chip.save()
    assert "was issued already, as card" in one_sentence(hebat("personalise", "--data", folder))
    assert chip.save() == before


def test_a_card_that_the_ledger_never_heard_of_is_registered_as_it_is(
    desk: Desk, hebat: Callable[..., Ran], folder: Path
) -> None:
    card = VirtualCard(UID)
    personalise(card, vault_of(folder), identity(serial=5))
    before = card.save()
    desk.cards = [card]
    made = hebat("personalise", "--data", folder, "--json").json
    assert made["finished"] is True
    assert made["card_number"] == card_number(9, 5)
    assert card.save() == before
    twin = VirtualCard(UID[:-1] + b"\x77")
    personalise(twin, vault_of(folder), identity(serial=5))
    desk.cards = [twin]
    assert "is another chip's" in one_sentence(hebat("personalise", "--data", folder))


def exchanges_of_a_making(folder: Path, wanted: making.Wanted) -> list[int]:
    """The number of each exchange of a personalisation."""
    with counted() as sent, opened(folder) as city:
        making.make(VirtualCard(UID), city, wanted)
    return list(range(1, len(sent) + 1))


ADDRESS = "https://kartu.example/t"


@pytest.mark.parametrize("address", [None, ADDRESS])
@pytest.mark.parametrize("acts", [True, False])
def test_a_card_pulled_away_while_it_was_made_is_finished_with_the_same_command(
    acts: bool, address: str | None, founded: Path, tmp_path: Path
) -> None:
    wanted = making.Wanted(address=address)
    left = exchanges_of_a_making(shutil.copytree(founded, tmp_path / "trial"), wanted)
    folder = shutil.copytree(founded, tmp_path / "city")
    with opened(folder) as city:
        for at in left:
            card = VirtualCard(UID[:-2] + bytes((acts, at)))
            card.tear(at, acts=acts)
            with pytest.raises(CardLost):
                making.make(card, city, wanted)
            card.leave_field()
            made = making.make(card, city, wanted)
            assert is_whole(card, city.vault), at
            assert read_city_card(card, city.vault).identity == made.identity
            assert made.identity.card_number == card_number(9, at), at
            assert address is None or ndef.read_address(card).startswith(ADDRESS), at


def test_a_making_that_is_torn_again_and_again_comes_to_its_end(folder: Path) -> None:
    card = VirtualCard(UID)
    with opened(folder) as city:
        for at in range(40, 0, -1):
            card.tear(at, acts=True)
            with pytest.raises(CardLost):
                making.make(card, city, making.Wanted())
            card.leave_field()
        assert making.make(card, city, making.Wanted()).identity.card_number == card_number(9, 1)
        assert is_whole(card, city.vault)


def test_a_half_made_card_is_called_what_it_is(desk: Desk, hebat: Callable[..., Ran], folder: Path) -> None:
    card = VirtualCard(UID)
    with counted() as sent, opened(folder) as city:
        making.make(VirtualCard(UID[:-1] + b"\x77"), city, making.Wanted())
    card.tear([one[1] for one in sent].index(Ins.CREATE_STANDARD_FILE) + 1, acts=True)
    desk.cards = [card]
    assert "left the field" in one_sentence(hebat("personalise", "--data", folder))
    assert "making was broken off" in hebat("info", "--data", folder).out
    assert hebat("personalise", "--data", folder).code == 0
    assert hebat("info", "--data", folder).out.startswith("A card of this city.")


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--issuer", 7, "no bank of this city has code 7"),
        ("--concession", "dog", "no rider class"),
        ("--serial", 0, "serial 0"),
    ],
)
def test_what_cannot_be_is_said_before_a_card_is_asked_for(
    option: str, value: object, told: str, desk: Desk, hebat: Callable[..., Ran], folder: Path
) -> None:
    assert told in one_sentence(hebat("personalise", "--data", folder, option, value))
    assert desk.asked_for == []


def test_a_random_uid_makes_no_city_card(folder: Path) -> None:
    with opened(folder) as city, pytest.raises(InputRefused, match="a UID of 4 bytes"):
        making.make(Scripted(b"\x08\x01\x02\x03", {}), city, making.Wanted())


def test_a_city_that_a_server_has_open_is_left_alone(
    desk: Desk, hebat: Callable[..., Ran], folder: Path
) -> None:
    card = VirtualCard(UID)
    desk.cards = [card]
    before = card.save()
    with opened(folder):
        assert "another server" in one_sentence(hebat("load", "50000", "--data", folder), code=4)
    assert card.save() == before


# Loading


def ledger_balance(folder: Path) -> int:
    """What the ledger says of the one card, in sen; and its holds are gone."""
    with opened(folder) as city:
        balance = city.ledger.balance(purse(card_number(9, 1)))
        assert not balance.credits_pending
        return balance.credits_posted - balance.debits_posted


def test_a_load_is_on_the_card_and_in_the_ledger(
    chip: VirtualCard, hebat: Callable[..., Ran], folder: Path
) -> None:
    assert hebat("load", "50.000", "--data", folder).out == "Rp50.000 loaded. The card holds Rp50.000.\n"
    told = hebat("load", "Rp20.000", "--data", folder, "--json").json
    assert told == {
        "loaded": 20_000,
        "balance": 70_000,
        "sequence": RELAYED_FROM + 2,
        "earlier": False,
    }
    assert value_of(chip) == 70_000
    assert ledger_balance(folder) == sen_of(Rupiah(70_000))
    with opened(folder) as city, city.ledger.database.transaction() as connection:
        assert [tap.amount for tap in store.all_taps(connection)] == [5_000_000, 2_000_000]


@pytest.mark.parametrize("amount", ["0", "12,5", "-5", "1.00", "50.000.00", "x", "1_000", "٣"])
def test_only_whole_rupiah_are_an_amount(
    amount: str, chip: VirtualCard, hebat: Callable[..., Ran], folder: Path
) -> None:
    assert "is no amount to load" in one_sentence(hebat("load", "--data", folder, "--", amount))
    assert value_of(chip) == 0


def test_the_ledger_says_no_before_a_card_is_written(
    chip: VirtualCard, hebat: Callable[..., Ran], folder: Path
) -> None:
    before = chip.save()
    assert "2000000 rupiah at most" in one_sentence(hebat("load", "2.000.001", "--data", folder))
    assert chip.save() == before


def test_a_card_that_was_not_issued_here_is_not_loaded(
    desk: Desk, hebat: Callable[..., Ran], folder: Path
) -> None:
    card = VirtualCard(UID)
    personalise(card, vault_of(folder), identity())
    desk.cards = [card]
    assert "do not take the cash" in one_sentence(hebat("load", "50000", "--data", folder))
    assert value_of(card) == 0


@pytest.fixture
def commit_at(chip: VirtualCard, hebat: Callable[..., Ran], folder: Path) -> int:
    """Which exchange of a load is its commit; found by a first load of Rp10.000."""
    with counted() as sent:
        assert hebat("load", "10000", "--data", folder).code == 0
    return [one[1] for one in sent].index(Ins.COMMIT_TRANSACTION) + 1


@pytest.mark.parametrize("acts", [True, False])
def test_a_torn_load_asks_for_the_same_card_and_loads_once(
    acts: bool, commit_at: int, chip: VirtualCard, hebat: Callable[..., Ran], folder: Path
) -> None:
    chip.tear(commit_at, acts=acts)
    ran = hebat("load", "50000", "--data", folder)
    assert ran.code == 0
    assert ran.out == "Rp50.000 loaded. The card holds Rp60.000.\n"
    assert value_of(chip) == 60_000
    assert ledger_balance(folder) == sen_of(Rupiah(60_000))


def test_another_card_is_not_taken_for_the_torn_one(
    commit_at: int, chip: VirtualCard, desk: Desk, hebat: Callable[..., Ran], folder: Path
) -> None:
    other = VirtualCard(UID[:-1] + b"\x77")
    desk.cards = [other]
    assert hebat("personalise", "--data", folder).code == 0
    chip.tear(commit_at, acts=True)
    desk.cards = [chip, other]
    assert "this is another card" in one_sentence(hebat("load", "50000", "--data", folder))
    assert value_of(other) == 0
    desk.cards = [chip]
    told = hebat("load", "30000", "--data", folder)
    assert "Rp50.000 of an earlier load turned out to be on the card" in told.out
    assert value_of(chip) == 60_000
    assert ledger_balance(folder) == sen_of(Rupiah(60_000))


@pytest.mark.parametrize("acts", [True, False])
def test_a_torn_card_that_is_not_held_again_may_come_back_later(
    acts: bool, commit_at: int, chip: VirtualCard, desk: Desk, hebat: Callable[..., Ran], folder: Path
) -> None:
    chip.tear(commit_at, acts=acts)
    desk.cards = [chip, None]
    assert "it is never loaded twice" in one_sentence(hebat("load", "50000", "--data", folder))
    desk.cards = [chip]
    assert hebat("load", "50000", "--data", folder).code == 0
    assert value_of(chip) == 60_000
    assert ledger_balance(folder) == sen_of(Rupiah(60_000))


def test_a_counter_whose_certificate_ran_out_gets_a_new_one(
    chip: VirtualCard, hebat: Callable[..., Ran], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hebat("load", "10000", "--data", folder).code == 0
    now = SystemClock.now
    monkeypatch.setattr(SystemClock, "now", lambda self: UnixMs(now(self) + 100 * 86_400_000))
    assert hebat("load", "10000", "--data", folder).code == 0
    assert value_of(chip) == 20_000


def test_a_revoked_counter_stays_revoked(chip: VirtualCard, hebat: Callable[..., Ran], folder: Path) -> None:
    assert hebat("load", "10000", "--data", folder).code == 0
    with opened(folder) as city:
        city.registry.revoke(COUNTER, city.clock.now())
    assert "was revoked" in one_sentence(hebat("load", "10000", "--data", folder))
    assert value_of(chip) == 10_000


def test_a_counter_that_never_was_enrolled_cannot_load_from_afar(
    chip: VirtualCard, hebat: Callable[..., Ran], folder: Path
) -> None:
    ran = hebat("load", "10000", "--data", folder, "--address", "http://127.0.0.1:9")
    assert "not enrolled yet" in one_sentence(ran)


def test_an_address_is_written_with_its_scheme(
    chip: VirtualCard, hebat: Callable[..., Ran], folder: Path
) -> None:
    ran = hebat("load", "10000", "--data", folder, "--address", "127.0.0.1:8460")
    assert "is no server's address" in one_sentence(ran)


# Locking


def test_a_locked_card_is_refused_by_every_terminal_and_keeps_its_value(
    chip: VirtualCard, hebat: Callable[..., Ran], folder: Path, conductor: Terminal
) -> None:
    assert hebat("load", "50000", "--data", folder).code == 0
    ran = hebat("lock", "--data", folder, "--yes")
    assert "is locked. No terminal takes it; it holds Rp50.000." in ran.out
    outcomes = {
        "fare": conductor.fare(chip, PLACE),
        "tap in": conductor.tap_in(chip, PLACE),
        "purchase": conductor.sale(chip, Rupiah(1_000)),
    }
    assert {name: one.colour for name, one in outcomes.items()} == dict.fromkeys(outcomes, Colour.RED)
    assert outcomes["fare"].reason == "expired"
    assert value_of(chip) == 50_000
    assert "this card is locked: nothing was loaded" in one_sentence(hebat("load", "5000", "--data", folder))


def test_a_locked_card_can_still_be_read(chip: VirtualCard, hebat: Callable[..., Ran], folder: Path) -> None:
    assert hebat("load", "50000", "--data", folder).code == 0
    for _ in range(2):
        assert hebat("lock", "--data", folder, "--yes").code == 0
    told = hebat("info", "--data", folder).out
    assert "A card of this city, locked: no terminal takes it." in told
    assert "Rp50.000" in told
    assert hebat("info", "--data", folder, "--json").json["locked"] is True


def test_a_lock_can_be_taken_back(
    chip: VirtualCard, hebat: Callable[..., Ran], folder: Path, conductor: Terminal
) -> None:
    assert hebat("load", "50000", "--data", folder).code == 0
    assert hebat("lock", "--data", folder, "--yes").code == 0
    assert "is in use again until" in hebat("lock", "--undo", "--data", folder, "--yes").out
    assert conductor.fare(chip, PLACE).colour is Colour.GREEN
    assert conductor.sale(chip, Rupiah(1_000)).colour is Colour.GREEN


def test_nothing_is_locked_without_a_yes(
    chip: VirtualCard, hebat: Callable[..., Ran], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("typer.confirm", lambda question, err: False)
    before = chip.save()
    assert one_sentence(hebat("lock", "--data", folder)) == "hebat: nothing was changed"
    assert chip.save() == before
