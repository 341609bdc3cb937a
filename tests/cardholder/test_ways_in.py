"""The ways in: a scan shows a band, the PIN shows the card, a phone's tap opens it once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from card.layout import TapKind, card_number
from keys.money import Rupiah
from keys.softkey import SoftKey
from keys.vault import Role
from ledger.intake.cards.issued import Card
from ledger.intake.registry import new_token, token_digest
from tests.card.known import VECTORS
from tests.cardholder.town import PIN, WRONG, Town, tapped

if TYPE_CHECKING:
    from pathlib import Path


def test_a_bare_scan_shows_status_and_a_band_and_nothing_else(town: Town) -> None:
    card = town.card(loaded=52_500)
    town.rides(card, [3_500])
    page = town.holder().get(f"/c/{card.token}", accept_language="en").text
    assert "Card in use" in page
    assert "Rp20,000 to Rp50,000" in page
    number, uid = str(card.identity.card_number), card.chip.uid.hex()
    page = page.replace(card.token, "")  # in which four digits may stand by chance
    for hidden in ("49,000", "49.000", "3,500", "Simpang Lima", number, number[-4:], uid, uid.upper()):
        assert hidden not in page


def test_the_pin_opens_the_card_for_ten_minutes(town: Town) -> None:
    card, holder = town.card(loaded=52_500), town.holder(**{"Accept-Language": "en"})
    page = holder.opens(card)
    assert page.status_code == 200
    assert "Rp52,500" in page.text
    town.pass_(10 * 60_000 - 1)
    assert holder.get("/card").status_code == 200
    town.pass_(1)
    closed = holder.get("/card")
    assert closed.status_code == 403
    assert "52,500" not in closed.text


def test_a_wrong_pin_opens_nothing(town: Town) -> None:
    card, holder = town.card(), town.holder()
    answer = holder.post(f"/c/{card.token}", {"pin": WRONG})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert holder.get("/card").status_code == 403


def test_a_token_that_was_renewed_opens_the_new_one_only(town: Town) -> None:
    card, holder = town.card(), town.holder()
    fresh = town.city.cardholders.tokens.renew(town.known(card))
    assert holder.get(f"/c/{card.token}").status_code == 404
    assert holder.get(f"/c/{fresh}").status_code == 200
    newer = town.city.cardholders.tokens.renew(town.known(card))
    assert holder.get(f"/c/{fresh}").status_code == 404
    assert holder.get(f"/c/{newer}").status_code == 200


def test_a_card_on_a_phone_opens_its_page_once_a_tap(town: Town) -> None:
    card, holder = town.phone_card(), town.holder()
    address = tapped(card)
    answer = holder.get(address)
    assert answer.status_code == 303
    assert holder.get(answer.headers["location"]).status_code == 200
    again = town.holder(**{"Accept-Language": "en"})
    refused = again.get(address)
    assert refused.status_code == 403
    assert "Tap the card again" in refused.text
    assert again.get("/card").status_code == 403
    assert again.get(tapped(card)).status_code == 303


class Published:
    """The vault of whoever wrote AN12196's cards: its keys are given, and no key of a city's can be derived to be them."""

    def __init__(self, inputs: dict[str, str]) -> None:
        self._keys = {
            Role.META_READ: SoftKey(bytes.fromhex(inputs["k_sdm_meta_read"]), 1),
            Role.FILE_READ: SoftKey(bytes.fromhex(inputs["k_sdm_file_read"]), 1),
        }

    def versions(self, _role: Role) -> list[int]:
        return [1]

    def card_key(self, role: Role, _version: int, _uid: bytes) -> SoftKey:
        return self._keys[role]


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("sun-an12196-p12", "/t?e={picc_enc_data}&c={sdmmac}"),
        ("sun-an12196-p18", "/t?picc_data={picc_enc_data}&enc={enc_file_data}&cmac={sdmmac}"),
    ],
)
def test_the_published_addresses_of_an12196_open_their_cards_pages_once(
    name: str, layout: str, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = VECTORS[name]["inputs"] | VECTORS[name]["outputs"]
    address = layout.format_map({key: str(value).upper() for key, value in told.items()})
    room, uid = town.city.cardholders, int(told["uid"], 16)
    monkeypatch.setattr(room.phones, "_vault", Published(told))
    holder = town.holder(**{"Accept-Language": "en"})
    assert holder.get(address).status_code == 403  # it proves itself; the ledger has no such card
    number = card_number(9, 90_000 + told["read_ctr"])
    town.city.registry.add_cards([Card(uid, number, False, 1, token_digest(new_token()))])
    for at in range(address.index("=") + 1, len(address)):
        if address[at] in "0123456789ABCDEF":
            room.failures.forget()
            changed = f"{address[:at]}{int(address[at], 16) ^ 1:X}{address[at + 1 :]}"
            assert holder.get(changed).status_code == 403, changed
    room.failures.forget()
    answer = holder.get(address)
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/card")
    assert str(number)[-4:] in holder.get("/card").text
    assert "Tap the card again" in town.holder(**{"Accept-Language": "en"}).get(address).text
    with town.city.ledger.database.transaction() as connection:
        seen = connection.exec_driver_sql(f"SELECT counter FROM phone_taps WHERE uid = {uid}").scalar()
    assert seen == told["read_ctr"]


def test_an_older_tap_is_refused_after_a_newer_one_also_by_the_next_server(tmp_path: Path) -> None:
    folder = tmp_path / "city"
    with Town.open(folder) as town:
        card = town.phone_card()
        older, newer = tapped(card), tapped(card)
        assert town.holder().get(newer).status_code == 303
        assert town.holder().get(older).status_code == 403
    with Town.open(folder, fresh=False) as town:
        assert town.holder().get(newer).status_code == 403
        assert town.holder().get(older).status_code == 403
        assert town.holder().get(tapped(card)).status_code == 303


def test_five_wrong_pins_make_a_card_rest_and_the_right_one_does_not_help(town: Town) -> None:
    card = town.card()
    known = town.known(card)
    for _ in range(5):
        assert town.city.cardholders.pins.attempt(known, WRONG).tried.name == "WRONG"
    holder = town.holder(**{"Accept-Language": "en"})
    rests = holder.post(f"/c/{card.token}", {"pin": PIN})
    assert rests.status_code == 429
    assert "rests for 15 minutes" in rests.text
    town.pass_(15 * 60_000)
    assert holder.opens(card).status_code == 200


def test_after_twenty_wrong_pins_only_a_new_one_helps(town: Town) -> None:
    card = town.card()
    known, pins = town.known(card), town.city.cardholders.pins
    tries = 0
    while not (last := pins.attempt(known, WRONG)).is_for_good:
        tries += last.tried.name == "WRONG"
        town.pass_(last.wait_ms)
        assert tries <= 20
    assert tries == 20
    town.pass_(400 * 86_400_000)
    assert pins.attempt(known, PIN).is_for_good
    pins.set(known, "314159")
    assert pins.attempt(known, "314159").tried.name == "RIGHT"


def test_the_page_shows_what_is_under_way(town: Town) -> None:
    card, holder = town.card(loaded=20_000), town.holder(**{"Accept-Language": "en"})
    town.rides(card, [3_500])
    late = town.scene.desk(1900)
    town.pass_(60_000)
    late.tap(card, TapKind.FARE, 3_500)
    town.pass_(60_000)
    town.rides(card, [3_500])
    page = holder.opens(card).text
    assert "1 tap has not been sent by its bus or shop yet." in page
    late.send()
    page = holder.get("/card").text
    assert "has not been sent" not in page
    assert f"Rp{card.chip_balance:,}" in page
    assert card.chip_balance == Rupiah(9_500)


def test_the_address_without_a_card_says_how_to_come_to_ones_own(town: Town) -> None:
    for language, words in (
        ("id", "pindai kode"),
        ("jv", "pindai kode"),
        ("en", "scan the code"),
        ("zh", "扫描"),
    ):
        page = town.holder(**{"Accept-Language": language}).get("/")
        assert page.status_code == 200
        assert words in page.text


def test_an_address_at_which_no_page_is_says_so_as_a_page(town: Town) -> None:
    for path in ("/card/nonsense", "/card/taps", "/c/some/where"):
        page = town.holder(**{"Accept-Language": "en"}).get(path)
        assert page.status_code == 404
        assert "There is no such page" in page.text
        assert page.headers["cache-control"] == "no-store"


def test_a_purchase_is_told_once_and_in_the_holders_language(town: Town) -> None:
    card = town.card()
    town.buys(card, 12_500)
    holder = town.holder(**{"Accept-Language": "id"})
    holder.post(f"/c/{card.token}", {"pin": PIN})
    for path in ("/card", "/card/taps/2"):
        page = holder.get(path).text
        assert "Belanja" in page
        assert not re.search(r"\bsale\b", page), path
