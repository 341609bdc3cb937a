"""What attackers try on the cardholder's pages, each a test: guessing, replay, flipped bits, other people's numbers, headers, caches, clocks."""

from __future__ import annotations

import re
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from card.errors import TapRefused
from keys.freshqr import FreshQr
from keys.identity import TerminalRole
from keys.money import Rupiah
from ledger.cardholder.pins import FREE_TRIES, Tried
from ledger.cardholder.tries import FAILURES_MAX, WINDOW_MS, Failures, network_of
from ledger.cardholder.views import Door, Views
from ledger.intake.registry import new_token
from tests.cardholder.town import PIN, WRONG, Town, form_key, tapped
from tests.ledger.entries import SetClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hebat.issuing import Issued

EN = {"Accept-Language": "en"}
HIDDEN = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


# Guessing


def test_whoever_guesses_tokens_is_heard_no_more_and_others_are(town: Town) -> None:
    card, guesser = town.card(), town.holder(**EN)
    for _ in range(FAILURES_MAX):
        assert guesser.get(f"/c/{new_token()}").status_code == 404
    late = guesser.get(f"/c/{card.token}")
    assert late.status_code == 429
    assert "Come back in 15 minutes" in late.text
    assert late.headers["retry-after"] == "900"
    assert guesser.get(f"/c/{card.token}", x_forwarded_for="203.0.113.9").status_code == 429, (
        "no proxy of ours said so"
    )
    town.pass_(WINDOW_MS)
    assert guesser.get(f"/c/{card.token}").status_code == 200


def test_an_address_guesses_ten_pins_of_all_cards_together(town: Town) -> None:
    cards, guesser = [town.card() for _ in range(4)], town.holder()
    codes = [guesser.post(f"/c/{cards[at % 4].token}", {"pin": WRONG}).status_code for at in range(12)]
    assert codes == [403] * FAILURES_MAX + [429, 429]
    assert guesser.post(f"/c/{cards[0].token}", {"pin": PIN}).status_code == 429


def test_a_cards_pin_rests_however_many_addresses_guess_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEBAT_PROXIES", "127.0.0.1")
    with Town.open(tmp_path / "city") as town:
        card, crowd = town.card(), town.holder()
        codes = [
            crowd.post(f"/c/{card.token}", {"pin": WRONG}, x_forwarded_for=f"198.51.100.{at}").status_code
            for at in range(9)
        ]
        assert codes == [403] * FREE_TRIES + [429] * 4
        assert crowd.post(f"/c/{card.token}", {"pin": PIN}, x_forwarded_for="192.0.2.1").status_code == 429
        spoofed = [
            crowd.get(f"/c/{new_token()}", x_forwarded_for=f"10.0.0.{at}, 203.0.113.7").status_code
            for at in range(12)
        ]
        assert spoofed[-1] == 429, "what a caller wrote before the proxy's own word counts for nothing"


def test_guesses_at_the_same_moment_are_not_cheaper(town: Town) -> None:
    card = town.known(town.card())
    with ThreadPoolExecutor(12) as pool:
        ends = [
            one.tried
            for one in pool.map(lambda _: town.city.cardholders.pins.attempt(card, WRONG), range(24))
        ]
    assert ends.count(Tried.WRONG) == FREE_TRIES
    assert ends.count(Tried.RESTS) == 24 - FREE_TRIES


def test_an_address_of_ipv6_counts_with_its_network() -> None:
    assert (
        network_of("2001:db8:1:2::7") == network_of("2001:db8:1:2:ffff::1") != network_of("2001:db8:1:3::7")
    )
    assert network_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert network_of("nonsense") == network_of("") == "unknown"
    clock = SetClock(1_000_000)  # type: ignore[arg-type]
    failures = Failures(clock)
    for at in range(FAILURES_MAX):
        failures.note(f"2001:db8::{at:x}")
    assert failures.wait_ms("2001:db8::abcd") == WINDOW_MS
    assert failures.wait_ms("2001:db8:0:1::1") == 0


def test_an_unknown_token_takes_as_long_as_a_known_one(town: Town) -> None:
    """Wrong PINs for known cards, for cards without a PIN, and for tokens of nobody, in turn: their middle times differ by less than the noise of one."""
    cards = [town.card() for _ in range(8)]
    bare = [town.scene.card() for _ in range(8)]
    asks: dict[str, Callable[[int], str]] = {
        "known": lambda at: cards[at % 8].token,
        "without": lambda at: bare[at % 8].token,
        "nobody": lambda _: new_token(),
    }
    took: dict[str, list[float]] = {name: [] for name in asks}
    guesser = town.holder()
    for at in range(32):
        for name, token in asks.items():
            town.city.cardholders.failures.forget()
            began = (
                time.process_time()
            )  # the server is a thread of this process; what else the machine does is not counted
            assert guesser.post(f"/c/{token(at)}", {"pin": WRONG}).status_code in {403, 404}
            took[name].append(time.process_time() - began)
    middles = {name: statistics.median(times) for name, times in took.items()}
    low, high = min(middles.values()), max(middles.values())
    assert high - low < max(0.006, 0.25 * high), middles


# Replay and forgery


def test_no_bit_of_a_phones_address_can_be_changed(town: Town) -> None:
    address = tapped(town.phone_card())
    phones = town.city.cardholders.phones
    places = [at for at, one in enumerate(address) if one in "0123456789ABCDEF" and at > address.index("e=")]
    assert len(places) >= 48
    for at in places:
        flipped = f"{int(address[at], 16) ^ 1:X}"
        with pytest.raises(TapRefused):
            phones.card(address[:at] + flipped + address[at + 1 :])
    assert phones.card(address) is not None, "and none of the attempts used the tap up"


def test_one_of_many_who_hold_the_same_tap_gets_in(town: Town) -> None:
    address = tapped(town.phone_card())
    browsers = [town.holder() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        codes = sorted(pool.map(lambda one: one.get(address).status_code, browsers))
    assert codes == [303] + [403] * 7


def screen_code(town: Town, card: Issued, number: int) -> str:
    desk = town.scene.desk(number, TerminalRole.KIOSK, 601)
    now = town.scene.clock.now()
    return FreshQr.made(desk.identity.sign, number, card.identity.card_number, Rupiah(50_000), 1, now).text()


def test_a_screens_code_opens_once_and_not_late_nor_changed(town: Town) -> None:
    card, holder = town.card(), town.holder(**EN)
    code = screen_code(town, card, 3501)
    for wrong in (
        code.lower(),
        code[:40] + ("A" if code[40] != "A" else "B") + code[41:],
        code[:-1],
        code + "=",
    ):
        assert town.holder().get(f"/q/{wrong}").status_code == 403
    town.city.cardholders.failures.forget()
    first = holder.get(f"/q/{code}")
    assert first.status_code == 303
    assert "Rp50,000" in holder.get(first.headers["location"]).text
    assert town.holder().get(f"/q/{code}").status_code == 403
    late = screen_code(town, card, 3502)
    town.pass_(121_000)
    assert town.holder().get(f"/q/{late}").status_code == 403


def test_a_view_cannot_be_forged_or_stretched(town: Town) -> None:
    card = town.card()
    views = town.city.cardholders.views
    value = views.made(card.uid, Door.SCREEN)
    assert views.read(value) is not None
    for at in range(len(value)):
        changed = value[:at] + ("A" if value[at] != "A" else "B") + value[at + 1 :]
        found = views.read(changed)
        assert found is None or found == views.read(value), "only bits that base64 does not use may differ"
    assert Views(town.scene.clock).read(value) is None, "another server's key"
    for nonsense in ("", "A" * 81, "%%%", "ä"):
        assert views.read(nonsense) is None


def test_a_form_of_another_page_or_another_view_does_nothing(town: Town) -> None:
    card, other = town.card(), town.card()
    holder, stranger = town.holder(**EN), town.holder(**EN)
    key, foreign = form_key(holder.opens(card).text), form_key(stranger.opens(other).text)
    assert holder.post("/card/block", {"key": key}, sec_fetch_site="cross-site").status_code == 403
    assert holder.post("/card/block", {"key": foreign}).status_code == 403
    assert holder.post("/card/block").status_code == 403
    assert (
        town.holder().post(f"/c/{card.token}", {"pin": PIN}, sec_fetch_site="cross-site").status_code == 403
    )
    assert town.city.blocks.of(town.known(card)) is None
    assert holder.get("/card").headers.get("set-cookie") is None


# Other people's numbers


def test_somebody_elses_report_is_not_found_by_a_number_that_is_nearly_right(town: Town) -> None:
    card = town.card()
    town.rides(card, [3_500])
    holder = town.holder(**EN)
    key = form_key(holder.opens(card).text)
    made = holder.post("/card/taps/2/problem", {"key": key, "reason": "amount"}).text
    number = re.findall(r"/d/([A-Z2-7-]+)", made)[0].replace("-", "")
    disputes = town.city.cardholders.disputes
    assert disputes.follow(number) is not None
    for at in range(2, len(number)):
        near = number[:at] + ("A" if number[at] != "A" else "B") + number[at + 1 :]
        assert disputes.follow(near) is None
    guesser = town.holder(**EN)
    codes = [guesser.get(f"/d/{number[:-1]}{one}").status_code for one in "234567ABCDEF" if one != number[-1]]
    assert set(codes[:10]) == {404}
    assert codes[-1] == 429
    for nonsense in ("x", "A" * 20, "A" * 200, "7" * 20):
        assert disputes.follow(nonsense) is None


def test_a_view_of_one_card_shows_nothing_of_another(town: Town) -> None:
    mine, theirs = town.card(11_000), town.card(77_000)
    town.rides(theirs, [3_500])
    holder = town.holder(**EN)
    holder.opens(mine)
    assert holder.get("/card/taps/2").status_code == 404
    assert holder.get("/card/taps/2/proof.json").status_code == 403
    for odd in ("0", "-1", "1e9", "\uff19", "1" * 40, "1%00"):
        assert holder.get(f"/card/taps/{odd}").status_code == 404
    assert "77,000" not in holder.get(f"/card?uid={theirs.uid}&token={theirs.token}").text


# Headers and caches


def test_no_header_of_a_request_ends_up_in_an_answer(town: Town) -> None:
    card, holder = town.card(), town.holder(**EN)
    evil = {
        "x_forwarded_host": "evil.example",
        "x_original_url": "/card",
        "x_forwarded_proto": "gopher",
        "forwarded": "host=evil.example",
    }
    seen = [
        holder.get(f"/c/{card.token}", host="evil.example", **evil),
        holder.post(f"/c/{card.token}", {"pin": PIN}, host="evil.example", **evil),
        holder.get("/card?l=%0d%0aSet-Cookie:%20evil.example", host="evil.example"),
        holder.get("/c/%3Cscript%3Eevil.example%3C/script%3E?l=<evil.example>"),
    ]
    for answer in seen:
        assert "evil.example" not in answer.text
        assert all("evil" not in value and "gopher" not in value for value in answer.headers.values())
    assert seen[1].headers["location"] == "/card?l=en"


def test_nothing_about_a_card_may_be_kept_found_or_told_on(town: Town) -> None:
    card, holder = town.card(), town.holder(**EN)
    town.rides(card, [3_500])
    answers = [
        holder.get(f"/c/{card.token}"), holder.get("/c/unknown"), holder.post(f"/c/{card.token}", {"pin": WRONG}), holder.get("/card"),
        holder.get("/t?e=00&m=00"), holder.get("/q/AAAA"), holder.get("/d/AAAA"), holder.opens(card), holder.get("/card/taps/2"),
        holder.get("/card/block"), holder.get("/card/register"), holder.get("/card/data"), holder.get("/card/data.json"),
        holder.get(f"/c/{card.token}/manifest"), holder.post("/card/leave"),
    ]  # fmt: skip
    for answer in answers:
        said = {name: answer.headers.get(name) for name in HIDDEN}
        assert said == HIDDEN, answer.url
        assert "noindex" in answer.headers["x-robots-tag"]
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert "etag" not in answer.headers
        assert not re.search(r'(?:src|href)="(?:https?:)?//', answer.text)
    assert {"Cookie", "Accept-Language"} <= set(re.split(r",\s*", answers[0].headers["vary"]))


def test_the_cookie_is_ours_alone_and_goes_over_tls_where_the_city_has_it(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = town.holder().post(f"/c/{town.card().token}", {"pin": PIN}).headers["set-cookie"]
    assert re.fullmatch(r"ksh-view=[\w-]+; Path=/; Max-Age=600; HttpOnly; SameSite=Lax", plain)
    monkeypatch.setenv("HEBAT_PAGE_ADDRESS", "https://kartu.example")
    with Town.open(tmp_path / "city") as other:
        kept = other.holder().post(f"/c/{other.card().token}", {"pin": PIN}).headers["set-cookie"]
        assert re.fullmatch(
            r"__Host-ksh-view=[\w-]+; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure", kept
        )


def test_an_oversized_or_odd_form_is_refused_and_shows_no_trace(town: Town) -> None:
    card, holder = town.card(), town.holder(**EN)
    big = holder.post(f"/c/{card.token}", {"pin": "1" * 9_000})
    assert big.status_code == 413
    many = holder.post(f"/c/{card.token}", {f"f{at}": "x" for at in range(40)})
    assert many.status_code == 422
    odd = holder.http.post(
        f"/c/{card.token}",
        content=b"\xff\xfe=%zz",
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert odd.status_code == 422
    zero = holder.post(f"/c/{card.token}", {"pin": PIN, "words": "a\0"})
    assert zero.status_code == 422, "no field of such a form is read"
    for answer in (big, many, odd, zero):
        assert "Traceback" not in answer.text
