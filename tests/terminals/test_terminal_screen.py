"""The screen without a browser: words for everything that can happen, boards in order, and a page that obeys nobody else's."""

from __future__ import annotations

import ast
import threading
import time
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from card.readers import Presence
from hebat.serving import LoopbackServer
from keys.clock import local
from keys.money import Rupiah
from terminals.errors import InputWrong, NotSold, ShiftRefused, TerminalError, WordsMissing
from terminals.pump import Pump
from terminals.roles.conductor import Conductor
from terminals.roles.merchant import Merchant
from terminals.roles.panel import amount_of
from terminals.roles.validator import Validator
from terminals.screen.board import Board, Boards, Sound, Tone
from terminals.screen.showing import board_of, letter_of
from terminals.screen.web import screen
from terminals.screen.words import LANGUAGES, sentence, words
from terminals.station import Station
from terminals.tap import Colour, Outcome
from tests.terminals.depot import (
    PLACE,
    Clock,
    Lasting,
    Ledger,
    Server,
    card,
    terminal,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from card.virtual import VirtualCard
    from keys.filevault import FileVault
    from terminals.station import ReaderCard
    from terminals.terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]
SPOKEN = {"FareRefused": 0, "Board": 1, "refused": 0, "Row": 0, "Outcome": 1, "Button": 1, "Told": 1}
"""Calls whose argument at this place is a key of the screen's words."""


def spoken_keys() -> set[str]:
    """Every literal key that code hands to the screen."""
    found = set[str]()
    others = ("card/purse.py", "ledger/relay/ends.py", "ledger/relay/records.py")
    for path in [*ROOT.glob("terminals/**/*.py"), *(ROOT / other for other in others)]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                found |= _keys_of(node)
    return found


def _keys_of(call: ast.Call) -> set[str]:
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    given = [one.value for one in call.keywords if one.arg == "reason" and name == "CardRefused"]
    if name in SPOKEN and len(call.args) > SPOKEN[name]:
        given.append(call.args[SPOKEN[name]])
    chosen = [[one.body, one.orelse] if isinstance(one, ast.IfExp) else [one] for one in given]
    texts = [one.value for either in chosen for one in either if isinstance(one, ast.Constant)]
    return {one for one in texts if isinstance(one, str) and one}


def test_everything_that_can_be_shown_has_a_word_in_every_language() -> None:
    keys = spoken_keys()
    assert {"short", "passback", "blocked", "clock-wrong", "reader-gone", "disk-full", "two-cards"} <= keys
    for language in LANGUAGES:
        assert {key for key in keys if key not in words(language)} == set(), language


def test_the_catalogues_are_complete_and_none_is_a_copy_of_another() -> None:
    catalogues = [words(language) for language in LANGUAGES]
    assert len({frozenset(one) for one in catalogues}) == 1
    assert not [key for one in catalogues for key, text in one.items() if not text.strip()]
    same = [key for key in catalogues[0] if len({one[key] for one in catalogues}) == 1]
    assert same == []
    with pytest.raises(WordsMissing, match="'fr'"):
        words("fr")


ENTRIES = {"InputWrong", "NotSold", "ShiftRefused", "ShiftOpen"}
"""Errors of what a person pressed or entered: said on the screen."""


def raised_entries() -> dict[str, set[str]]:
    """The word of every such error in the code, and the names of its values."""
    found = dict[str, set[str]]()
    for path in ROOT.glob("terminals/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ENTRIES:
                given = {one.arg: one.value for one in node.keywords}
                word = given.pop("word", None)
                assert isinstance(word, ast.Constant), (path, node.lineno)
                found[str(word.value)] = {str(name) for name in given}
    return found


def test_every_error_of_an_entry_is_said_in_every_language_with_its_values() -> None:
    raised = raised_entries()
    assert {"amount-wrong", "no-sale-to-void", "receipt-wrong", "shift-is-open"} <= raised.keys()
    for language in LANGUAGES:
        for word, values in raised.items():
            text = words(language)[word]
            assert {name for _, name, _, _ in Formatter().parse(text) if name} == values, (language, word)
        assert sentence(language, TerminalError("anything else")) == words(language)["not-now"]


def test_a_wrong_entry_is_a_sentence_in_the_readers_language() -> None:
    with pytest.raises(InputWrong) as wrong:
        amount_of("x")
    assert sentence("en", wrong.value) == "Enter whole rupiah from 1 to 20.000.000"
    assert len({sentence(language, wrong.value) for language in LANGUAGES}) == len(LANGUAGES)


@pytest.mark.parametrize(
    ("rules", "letter", "sound"),
    [
        (("full",), "U", Sound.ADULT),
        (("concession:pupil",), "P", Sound.CONCESSION),
        (("concession:elderly", "transfer"), "L", Sound.CONCESSION),
        (("full:student-rest-day",), "M", Sound.ADULT),
        (("sale",), "", Sound.ADULT),
    ],
)
def test_a_class_is_a_letter_and_a_tone(rules: tuple[str, ...], letter: str, sound: Sound) -> None:
    paid = Outcome(Colour.GREEN, "paid", amount=Rupiah(3_500), balance=Rupiah(3_499), rules=rules)
    board = board_of(paid, Rupiah(3_500))
    assert (letter_of(rules), board.letter, board.sound) == (letter, letter, sound)
    assert ("low-balance" in board.notes, "transfer" in board.notes) == (True, "transfer" in rules)


def test_a_refusal_stays_longer_and_sounds_different() -> None:
    red = board_of(Outcome(Colour.RED, "short"), Rupiah(0))
    amber = board_of(Outcome(Colour.AMBER, "tap-again"), Rupiah(0))
    assert (red.tone, red.sound, amber.tone, amber.sound) == (Tone.RED, Sound.STOP, Tone.AMBER, Sound.AGAIN)
    assert red.hold_ms > amber.hold_ms
    assert red.amount is None


def test_a_watcher_that_is_slow_sees_the_newest_and_never_holds_the_others_up() -> None:
    boards, stop = Boards(Board(Tone.IDLE, "hold-card")), threading.Event()
    slow = boards.watch(stop)
    assert next(slow) == boards.now
    for number in range(40):
        boards.show(Board(Tone.GREEN, "paid", amount=Rupiah(number)))
    seen = [next(slow)]
    while (one := next(slow)) is not None:
        seen.append(one)
    assert seen[-1] is not None
    assert seen[-1].amount == 39
    stop.set()
    assert next(slow, None) is None


@pytest.mark.parametrize(("typed", "amount"), [("25000", 25_000), ("Rp25.000", 25_000), (" 1 ", 1)])
def test_amounts_are_read_as_people_write_them(typed: str, amount: int) -> None:
    assert amount_of(typed) == amount


@pytest.mark.parametrize("typed", ["", "0", "-5", "1,5", "abc", "٣", "20000001", "9" * 30])
def test_what_is_no_amount_is_asked_for_again(typed: str) -> None:
    with pytest.raises(InputWrong, match="enter it again"):
        amount_of(typed)


@pytest.fixture
def device(tmp_path: Path, vault: FileVault, clock: Clock) -> Iterator[Terminal]:
    ledger = Ledger()
    server = Server(ledger)
    with terminal(tmp_path, vault, clock, ledger, server.address) as made:
        yield made
        while STATIONS:
            STATIONS.pop().close()
    server.close()


def station_of(device: Terminal, clock: Clock, panel: Any, kind: type[Station] = Station) -> Station:
    made = kind(device, panel, Pump(device, clock.now), clock)
    STATIONS.append(made)
    return made


STATIONS: list[Station] = []
"""Those of a test, to be closed before their outbox is."""


def test_nothing_is_sold_before_somebody_has_opened_a_shift(
    device: Terminal, clock: Clock, vault: FileVault
) -> None:
    till = station_of(device, clock, Merchant(device))
    assert till.boards.now.word == "no-shift"
    assert [button.action for button in till.buttons] == ["open-shift"]
    assert till.tapped(card(vault)).word == "no-shift"
    with pytest.raises(NotSold):
        till.press("sale", "5000")
    with pytest.raises(ShiftRefused):
        till.press("open-shift", " ")
    till.press("open-shift", "Kasir 1")
    assert till.tapped(card(vault)).word == "no-price"
    assert till.press("sale", "5.000").amount == 5_000
    assert till.tapped(card(vault)).word == "paid"
    assert till.tapped(card(vault)).word == "no-price"
    closed = till.press("close-shift")
    assert (closed.word, closed.amount, [row.word for row in closed.rows]) == (
        "shift-closed",
        5_000,
        ["person", "sale"],
    )


def test_a_price_stays_until_it_is_paid_or_cancelled(
    device: Terminal, clock: Clock, vault: FileVault
) -> None:
    till = station_of(device, clock, Merchant(device))
    till.press("open-shift", "Kasir 1")
    till.press("sale", "60000")
    assert till.tapped(card(vault)).word == "short"
    assert till.tapped(card(vault, 70_000, 2)).word == "paid"
    till.press("sale", "1000")
    till.press("cancel")
    assert till.tapped(card(vault)).word == "no-price"


def test_a_conductor_takes_fares_inspects_and_counts_cash(
    device: Terminal, clock: Clock, vault: FileVault
) -> None:
    handheld = station_of(device, clock, Conductor(device, PLACE))
    handheld.press("open-shift", "Kondektur 7")
    rider, other = card(vault), card(vault, serial=2)
    assert handheld.tapped(rider).word == "paid"
    handheld.press("inspect")
    seen = handheld.tapped(rider)
    assert (seen.word, seen.balance, seen.letter, seen.rows[0].amount) == ("paid-here", 46_500, "U", 3_500)
    handheld.press("inspect")
    assert handheld.tapped(other).word == "not-paid-here"
    assert handheld.tapped(rider).word == "passback"
    assert handheld.press("companion").word == "hold-card-companion"
    assert handheld.tapped(rider).balance == 43_000
    assert handheld.tapped(rider).word == "passback"
    assert handheld.press("cash").word == "ask-cash"
    assert handheld.press("cash-taken").word == "cash-taken"
    totals = {row.word: row.amount for row in handheld.press("close-shift").rows}
    assert (totals["fare"], totals["cash"]) == (7_000, 4_000)


def test_cash_is_the_tariffs_fare_of_the_class_and_taken_with_a_key(
    device: Terminal, clock: Clock, vault: FileVault
) -> None:
    handheld = station_of(device, clock, Conductor(device, PLACE))
    handheld.press("open-shift", "Kondektur 7")
    assert (asked := handheld.press("cash")).amount == 4_000  # dearer than by card, as Trans Semarang has it
    assert (asked.word, asked.letter, asked.tone) == ("ask-cash", "U", Tone.IDLE)
    prices = {one.action: one.amount for one in handheld.buttons if one.amount is not None}
    assert prices == {"class-general": 4_000} | dict.fromkeys(
        (f"class-{one}" for one in ("pupil", "student", "elderly", "veteran", "disabled", "child")), 1_000
    )
    assert len({one.key for one in handheld.buttons}) == len(handheld.buttons)
    assert handheld.press("class-elderly").amount == 1_000
    taken = handheld.press("cash-taken", "999999")  # what is typed is nobody's amount
    assert (taken.amount, taken.letter, taken.sound) == (1_000, "L", Sound.CONCESSION)
    with pytest.raises(NotSold):
        handheld.press("cash-taken")  # once a fare
    handheld.press("cash")
    assert handheld.press("cancel").word == "hold-card"
    handheld.press("cash")
    assert handheld.tapped(card(vault)).word == "paid"  # a card after all: no cash is counted beside it
    clock.wait(86_400 * (6 - local(clock.now()).weekday()))
    handheld.press("cash")
    assert handheld.press("class-pupil").amount == 4_000  # Sundays: pupils pay the full fare
    handheld.press("cash-taken")
    totals = {row.word: (row.text, row.amount) for row in handheld.press("close-shift").rows}
    assert totals["cash"] == ("2 x", 5_000)
    assert totals["fare"] == ("1 x", 3_500)


class Held:
    """A card that a reader has, until it is given back."""

    def __init__(self, chip: VirtualCard) -> None:
        self.uid = chip.uid
        self.transmit = chip.transmit

    def close(self) -> None:
        """Give it back."""


class Drawer:
    """Readers whose cards a test puts in and takes out."""

    def __init__(self, *changes: tuple[str, VirtualCard | None, bool]) -> None:
        self._changes = changes
        self._cards = dict[str, Any]()

    def watch(self, stop: threading.Event) -> Iterator[Presence]:
        del stop
        for reader, chip, there in self._changes:
            self._cards[reader] = chip
            yield Presence(reader, b"\x3b" if chip else None, there)

    def wait_for_card(self, reader: str | None = None, timeout_s: float | None = None) -> ReaderCard:
        del timeout_s
        return Held(self._cards[reader or ""])


def words_of(station: Station, *changes: tuple[str, VirtualCard | None, bool]) -> list[str]:
    shown, stop = list[str](), threading.Event()
    station.run(Drawer(*changes), stop)
    shown.append(station.boards.now.word)
    return shown


def test_a_reader_that_goes_and_comes_back_and_two_cards_are_said(
    device: Terminal, clock: Clock, vault: FileVault
) -> None:
    bus = station_of(device, clock, Validator(device, PLACE), Lasting)
    assert words_of(bus) == ["reader-gone"]  # none was ever there
    assert words_of(bus, ("a", None, True)) == ["hold-card"]
    assert words_of(bus, ("a", None, False)) == ["reader-gone"]
    assert words_of(bus, ("a", None, True)) == ["hold-card"]
    one, two = card(vault), card(vault, serial=2)
    assert words_of(bus, ("a", one, True)) == ["paid"]
    assert words_of(bus, ("b", two, True)) == ["two-cards"]
    assert two.applications  # nothing was asked of it
    assert device.outbox.waiting == 1
    assert words_of(bus, ("a", None, True), ("b", None, True), ("b", two, True)) == ["paid"]


def test_the_board_goes_back_to_waiting_by_itself(device: Terminal, clock: Clock, vault: FileVault) -> None:
    bus = station_of(device, clock, Validator(device, PLACE))
    assert bus.tapped(card(vault)).word == "paid"
    deadline = time.monotonic() + 60
    while bus.boards.now.word != "hold-card":
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def page(device: Terminal, clock: Clock) -> Iterator[str]:
    ended = threading.Event()
    till = station_of(device, clock, Merchant(device))
    with LoopbackServer(screen(till, ended)) as server:
        yield server.address
        ended.set()


def test_no_other_page_may_press_a_button(page: str) -> None:
    press = {"action": "open-shift", "value": "Kasir 1"}
    foreign = httpx2.post(f"{page}/press", json=press, headers={"Origin": "http://evil.example"}, timeout=60)
    assert foreign.status_code == 403
    rebound = httpx2.get(page, headers={"Host": "evil.example"}, timeout=60)
    assert rebound.status_code == 400
    form = httpx2.post(
        f"{page}/press", content=b"action=open-shift", headers={"Content-Type": "text/plain"}, timeout=60
    )
    assert form.status_code == 422
    assert httpx2.post(f"{page}/press", json=press, headers={"Origin": page}, timeout=60).status_code == 204


def test_a_button_that_is_not_there_is_answered_in_a_sentence(page: str) -> None:
    answer = httpx2.post(f"{page}/press", json={"action": "refund"}, timeout=60)
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "there is no button 'refund' now: use one that is shown",
    )
    assert httpx2.post(f"{page}/press", json={"action": "x" * 41}, timeout=60).status_code == 422


def test_the_page_loads_nothing_from_elsewhere_and_is_never_kept(page: str) -> None:
    for path in ("/", "/screen.css", "/screen.js", "/words"):
        answer = httpx2.get(f"{page}{path}", timeout=60)
        assert answer.status_code == 200
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert answer.headers["Cache-Control"] == "no-store"
        assert "http://" not in answer.text.replace("http://www.w3.org", "")
    assert httpx2.get(f"{page}/../errors.py", timeout=60).status_code == 404


def test_a_concession_that_has_ended_is_said() -> None:
    board = board_of(Outcome(Colour.GREEN, "paid", rules=("full:pupil-expired",)), Rupiah(0))
    assert board.notes == ("concession-expired",)
