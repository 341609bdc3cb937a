"""New keys for cards that are out: behind a load the ledger changes them, and a card that is torn there works everywhere and is finished later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card import ndef
from card.layout import AID
from card.personalise import made_with
from card.virtual import VirtualCard
from hebat.cards.making import Wanted, make
from hebat.demo.plan import BANK_JATENG
from hebat.issuing import Issued
from keys.money import Rupiah
from keys.vault import KeyName, Purpose, Role
from ledger.intake.key_versions import ACCESS, PHONE, PLACES, versions_report
from terminals.tap import Colour
from tests.system.tears import FLOWS, Run
from tests.system.tears_city import BUSES, KIOSKS, Rig, check_laws, fare, load

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from terminals.tap import Outcome

PLAIN, WHOLE = len(PLACES) - len(PHONE), len(PLACES)
"""How many keys a card has that can be rolled, without an application for phones and with one."""
LEVELS = (range(len(ACCESS)), range(len(ACCESS), PLAIN), range(PLAIN, WHOLE))
"""The places of the application's keys, of the chip's, and of the application for phones: rolled in this order."""
ADDRESS = "https://kartu.example/t"


def old(keys: int) -> bytes:
    return bytes((1,)) * keys


def new(keys: int) -> bytes:
    return bytes((2,)) * keys


def roll(rig: Rig, roles: Iterable[Role] = Role) -> None:
    """The city's next version of some roles, before the terminals of the test are enrolled: they hold both."""
    for role in roles:
        vault = rig.city.vault
        vault.generate_key(KeyName(role.value, vault.next_version(role.value)), Purpose.CARD)


def on_chip(chip: VirtualCard) -> bytes:
    """The versions that a chip names, of all keys that can be rolled; the field is left before and after."""
    chip.leave_field()
    versions = made_with(chip)[1]
    chip.leave_field()
    return versions


def for_phones(rig: Rig, count: int) -> list[Issued]:
    """Cards with an application for phones, and value from the counter."""
    made = []
    for number in range(count):
        blank = VirtualCard(b"\x04\xed" + number.to_bytes(5, "big"))
        done = make(blank, rig.city, Wanted(BANK_JATENG, address=ADDRESS))
        made.append(Issued(blank, done.identity, done.token))
    return list(rig.with_value(made))


def phone_taps(rig: Rig, card: Issued) -> int:
    """What a phone that is held to a card reads, proved by whichever of the city's keys the card has: the tap's number."""
    card.chip.leave_field()
    tap = ndef.proved(ndef.parse_address(ndef.read_address(card.chip)), rig.city.vault)
    card.chip.leave_field()
    assert tap.uid == card.chip.uid
    return tap.counter


def known(rig: Rig, card: Issued) -> tuple[bytes, bytes]:
    """What the registry knows of a card's application keys, and what may be coming; memory and disk agree."""
    found = rig.city.registry.card(card.uid)
    assert found is not None
    again = type(rig.city.registry)(rig.city.ledger.database, rig.city.root).card(card.uid)
    assert found == again
    return found.versions, found.coming


def exchanges(rig: Rig, card: Issued) -> int:
    """Of one green load, counted at the chip."""
    card.chip.leave_field()
    before = card.chip._exchanges
    assert load(rig.terminal(KIOSKS[0]), card.chip).colour is Colour.GREEN
    return card.chip._exchanges - before


def test_a_load_gives_a_card_the_newest_keys_and_the_next_one_finds_nothing_to_do(rig: Rig) -> None:
    card, other = rig.loaded(2)
    assert on_chip(card.chip) == old(PLAIN)
    plain = exchanges(rig, other)
    roll(rig)
    assert exchanges(rig, card) > plain
    assert (on_chip(card.chip), known(rig, card)) == (new(PLAIN), (new(PLAIN), b""))
    assert exchanges(rig, card) == plain
    assert fare(rig.terminal(BUSES[0]), card.chip).colour is Colour.GREEN
    rig.upload(*BUSES, *KIOSKS)
    check_laws(rig)


def test_wherever_the_change_of_keys_is_torn_the_card_pays_and_the_next_load_finishes_it(rig: Rig) -> None:
    plain = exchanges(rig, next(rig.loaded(1)))
    dry, *made = for_phones(rig, 1 + 2 * 40)
    roll(rig)
    whole = exchanges(rig, dry)
    cases = [(cut, acts) for cut in range(plain + 1, whole + 1) for acts in (False, True)]
    assert 2 * 30 <= len(cases) <= len(made)
    seen = set()
    for (cut, acts), card in zip(cases, made, strict=False):
        seen.add(check_torn(rig, card, cut, acts=acts))
    assert set(halfway()) <= seen
    check_laws(rig)


def halfway() -> Iterator[bytes]:
    """All that a card may have in between: levels one after the other, and in each the first key last."""
    for level in LEVELS:
        before, behind = new(level.start), old(WHOLE - level.stop)
        for changed in range(len(level)):
            yield before + old(1) + new(changed) + old(len(level) - 1 - changed) + behind
        yield before + new(len(level)) + behind


def check_torn(rig: Rig, card: Issued, cut: int, *, acts: bool) -> bytes:
    """One card, torn behind its load: green all the same, then a fare, then a load that ends it; the versions it had in between."""
    run = Run(rig, FLOWS["load"], card, 0)
    card.chip.tear(cut, acts=acts)
    assert run.tap(KIOSKS[0]).colour is Colour.GREEN, (cut, acts)
    card.chip.tear(0, acts=False)
    between = on_chip(card.chip)
    versions, coming = known(rig, card)
    possible = [{here, (coming or versions)[place]} for place, here in enumerate(versions)]
    assert all(here in maybe for here, maybe in zip(between, possible, strict=True)), (cut, acts)
    assert coming in {b"", new(WHOLE)}
    taps = phone_taps(rig, card)
    assert run.tap(BUSES[0], fare).colour is Colour.GREEN, (cut, acts)
    assert run.tap(KIOSKS[1], load).colour is Colour.GREEN, (cut, acts)
    assert (on_chip(card.chip), known(rig, card)) == (new(WHOLE), (new(WHOLE), b"")), (cut, acts)
    assert phone_taps(rig, card) == taps + 1
    rig.upload(*BUSES, *KIOSKS)
    run.check_closed()
    return between


def test_a_kiosk_shows_green_before_the_keys_are_changed_and_once(rig: Rig) -> None:
    (card,) = rig.loaded(1)
    roll(rig)
    shown: list[tuple[Colour, bytes]] = []

    def show(outcome: Outcome) -> None:
        keys = card.chip.applications[AID].keys
        shown.append((outcome.colour, bytes(slot.version for slot in keys)))

    card.chip.leave_field()
    outcome = rig.terminal(KIOSKS[0]).load(card.chip, Rupiah(20_000), show)
    assert (outcome.colour, on_chip(card.chip)) == (Colour.GREEN, new(PLAIN))
    assert shown == [(Colour.GREEN, old(len(ACCESS)))]


def test_one_role_alone_is_rolled_where_only_that_one_is_newer(rig: Rig) -> None:
    (card,) = rig.loaded(1)
    roll(rig, [Role.DEBIT])
    exchanges(rig, card)
    assert on_chip(card.chip) == bytes((1, 1, 2, 1, 1, 1, 1))
    assert fare(rig.terminal(BUSES[0]), card.chip).colour is Colour.GREEN


def test_the_transaction_mac_key_stays_as_the_card_was_made_and_its_counter_goes_on(rig: Rig) -> None:
    (card,) = rig.loaded(1)
    roll(rig)
    exchanges(rig, card)
    exchanges(rig, card)
    card.chip.leave_field()
    signing, versions = made_with(card.chip)
    assert (signing, versions) == (1, new(PLAIN))
    assert sorted(rig.in_books(card)) == [1, 2, 3]
    rig.upload(*KIOSKS)
    check_laws(rig)


def test_a_card_made_after_a_roll_is_registered_with_the_keys_it_has_and_works(rig: Rig) -> None:
    roll(rig)
    blank, drawn = VirtualCard(b"\x04\xee" + bytes(5)), list(rig.loaded(1))
    made = make(blank, rig.city, Wanted(BANK_JATENG, address=ADDRESS))
    cards = [*drawn, *rig.with_value([Issued(blank, made.identity, made.token)])]
    for card, places in zip(cards, (PLACES[: -len(PHONE)], PLACES), strict=True):
        registered = rig.city.registry.card(card.uid)
        assert registered is not None
        card.chip.leave_field()
        assert made_with(card.chip) == (registered.key_version, registered.versions)
        assert (registered.key_version, registered.versions) == (2, bytes((2,)) * len(places))
        exchanges(rig, card)
        assert fare(rig.terminal(BUSES[0]), card.chip).colour is Colour.GREEN
    rig.upload(*BUSES, *KIOSKS)
    check_laws(rig)


def test_a_card_that_the_ledger_had_not_heard_of_is_registered_with_what_it_says(rig: Rig) -> None:
    blank = VirtualCard(b"\x04\xef" + bytes(5))
    make(blank, rig.other_desk, Wanted(BANK_JATENG))
    uid = int.from_bytes(blank.uid, "big")
    rig.city.registry._cards.pop(uid)
    with rig.city.ledger.database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM cards")
    roll(rig)
    blank.leave_field()
    assert make(blank, rig.city, Wanted(BANK_JATENG)).finished
    registered = rig.city.registry.card(uid)
    assert registered is not None
    assert (registered.key_version, registered.versions) == (1, old(PLAIN))


def test_the_report_counts_the_cards_that_need_each_version(rig: Rig) -> None:
    rolled, torn, _ = rig.loaded(3)
    roll(rig)
    plain = exchanges(rig, rolled)
    torn.chip.leave_field()
    torn.chip.tear(plain - 11, acts=True)  # seven of the exchanges behind are the chip's own level
    assert load(rig.terminal(KIOSKS[0]), torn.chip).colour is Colour.GREEN
    report = versions_report(rig.city.registry.cards())
    assert report[Role.DEBIT] == {1: 2, 2: 2}  # torn: it may have either
    assert report[Role.TRANSACTION_MAC] == {1: 3}
    assert report[Role.PICC] == {1: 2, 2: 2}


def test_the_chips_own_key_and_the_phones_keys_are_rolled_alone_where_only_they_are_newer(rig: Rig) -> None:
    card, other = for_phones(rig, 2)
    roll(rig, [Role.PICC])
    exchanges(rig, card)
    assert on_chip(card.chip) == bytes((1,)) * 6 + bytes((2,)) + bytes((1,)) * 3
    taps = phone_taps(rig, other)
    roll(rig, [Role.META_READ, Role.FILE_READ])
    exchanges(rig, other)
    assert on_chip(other.chip) == bytes((1, 1, 1, 1, 2, 2, 2, 1, 2, 2))
    assert phone_taps(rig, other) == taps + 1
    assert known(rig, other) == (on_chip(other.chip), b"")


def test_a_card_that_was_torn_while_its_chips_key_changed_is_finished_although_the_old_one_is_retired_since(
    rig: Rig,
) -> None:
    (card,) = rig.loaded(1)
    roll(rig, [Role.PICC])
    plain = exchanges(rig, next(rig.loaded(1)))
    card.chip.leave_field()
    card.chip.tear(plain + 5, acts=True)  # the change came, its proof did not
    assert load(rig.terminal(KIOSKS[0]), card.chip).colour is Colour.GREEN
    assert known(rig, card) == (old(PLAIN), old(PLAIN - 1) + new(1))
    rig.city.vault.retire(Role.PICC, 1)
    card.chip.tear(0, acts=False)
    exchanges(rig, card)
    assert known(rig, card) == (on_chip(card.chip), b"")
    assert on_chip(card.chip) == old(PLAIN - 1) + new(1)
