"""How a rehearsal drives a server and judges it: when batches fall due, what a stalled server looks like, where the knee is, what the picture shows."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from lxml import etree

from hebat.errors import BatchesSpent, InputRefused
from hebat.folder import Folder
from hebat.load.driving import Fleet, Step
from hebat.load.histogram import GROWTH, Histogram
from hebat.load.kit import Body, Plan, made
from hebat.load.ladder import Terms, climb
from hebat.load.picture import picture
from hebat.load.riders import Rider
from hebat.load.schedule import due

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from card.batch import TapRecord

POSTED = b'{"results":[{"sequence":1,"result":"posted"}],"receipt":""}'


def answer(status: bytes, body: bytes = b"{}", headers: bytes = b"") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (status, len(body), headers, body)


@asynccontextmanager
async def server(
    said: Callable[[int], Awaitable[bytes | None]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """A server on loopback that answers its n-th batch with these bytes, or breaks the line."""
    heard = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]))
                heard += 1
                told = await said(heard)
                if told is None:
                    break
                writer.write(told)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def heard_out(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.current_task())
        with suppress(asyncio.CancelledError):
            await talk(reader, writer)

    talks: set[asyncio.Task[None] | None] = set()
    listening = await asyncio.start_server(heard_out, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        for one in talks:
            if one is not None:
                one.cancel()
        await asyncio.sleep(0.01)


def driven(
    said: Callable[[int], Awaitable[bytes | None]],
    *,
    terminals: int = 8,
    rate: float = 100,
    patience: float = 20,
) -> Step:
    """One second of batches against such a server."""

    async def whole() -> Step:
        async with server(said) as address:
            fleet = Fleet(address, [[Body(b"signed", 1)] * 99 for _ in range(terminals)], patience)
            step = await fleet.drive(rate, 1.0, seed=1)
            await fleet.close()
            return step

    return asyncio.run(whole())


async def posts(_number: int) -> bytes:
    return answer(b"200 OK", POSTED)


def test_batches_fall_due_at_the_asked_rate_and_the_same_each_time() -> None:
    times = list(due(1_000, 10, seed=3))
    assert times == sorted(times) == list(due(1_000, 10, seed=3))
    assert 9_500 < len(times) < 10_500
    assert times[-1] < 10
    gaps = sorted(b - a for a, b in pairwise(times))
    assert gaps[len(gaps) // 2] == pytest.approx(0.000693, rel=0.05), (
        "ln 2 / rate: calls that know nothing of each other"
    )


def test_percentiles_are_those_of_the_sorted_latencies_within_a_bucket() -> None:
    dice = random.Random(5)
    seconds = [dice.lognormvariate(-4, 2) for _ in range(20_000)]
    histogram = Histogram()
    for one in seconds:
        histogram.add(one)
    ordered = sorted(seconds)
    for share in (1, 50, 90, 99, 99.9):
        exact = ordered[max(0, -(-len(ordered) * share // 100).__int__() - 1)]
        assert exact / GROWTH <= histogram.percentile(share) <= exact * GROWTH
    assert histogram.percentile(100) == histogram.slowest == ordered[-1]
    assert Histogram().percentile(99) == 0


def test_each_batch_is_answered_once_and_counted() -> None:
    step = driven(posts)
    assert step.due == step.answered == step.taps == step.posted == step.latency.total > 60
    assert (step.shed, step.cut, step.repeated, step.refused) == (0, 0, 0, [])


def test_who_waits_behind_a_slow_answer_is_counted_from_when_it_was_due() -> None:
    async def stalls(number: int) -> bytes:
        if number == 1:
            await asyncio.sleep(1.5)
        return answer(b"200 OK", POSTED)

    step = driven(stalls, terminals=1, rate=50)
    assert step.answered == step.due
    assert step.served.percentile(90) < 0.5, "one answer alone was slow"
    assert step.latency.percentile(50) > 0.5, "and yet half of all batches waited for it"


def test_a_terminal_that_is_sent_away_comes_back_with_the_same_bytes_when_it_was_told() -> None:
    async def busy(number: int) -> bytes:
        if number <= 30:
            return answer(b"429 Too Many Requests", headers=b"Retry-After: 1\r\n")
        return answer(b"200 OK", POSTED)

    step = driven(busy)
    assert step.shed == step.told_when == 30
    assert step.answered == step.due == step.posted
    assert step.latency.slowest >= 1.0


def test_a_line_that_breaks_is_opened_again_and_the_batch_sent_again() -> None:
    async def breaks(number: int) -> bytes | None:
        return None if number % 10 == 1 else answer(b"200 OK", POSTED)

    step = driven(breaks)
    assert step.cut > 0
    assert step.answered == step.due == step.posted


def test_a_batch_that_is_refused_is_no_tap_that_was_taken() -> None:
    async def refuses(_number: int) -> bytes:
        return answer(b"409 Conflict", b'{"detail":"out of order"}')

    step = driven(refuses)
    assert step.taps == step.posted == 0
    assert step.refused[0] == '409: {"detail":"out of order"}'


def test_a_server_that_never_answers_ends_the_step_by_its_patience() -> None:
    async def silent(_number: int) -> bytes:
        await asyncio.sleep(60)
        return b""

    step = driven(silent, patience=0.2)
    assert step.answered == 0
    assert step.due > 0


def test_too_few_batches_are_said_to_be_too_few() -> None:
    async def whole() -> None:
        async with server(posts) as address:
            await Fleet(address, [[Body(b"signed", 1)]]).drive(100, 1, seed=1)  # it sends nothing

    with pytest.raises(BatchesSpent, match="1 batches are left, too few for 100 a second"):
        asyncio.run(whole())


def test_terminals_that_have_more_left_are_asked_for_more() -> None:
    bodies = [Body(b"signed", 1)] * 300

    async def whole() -> tuple[Step, int]:
        async with server(posts) as address:
            fleet = Fleet(address, [bodies[:100], bodies[:2], bodies[:0], bodies])
            step = await fleet.drive(200, 1, seed=1)
            with pytest.raises(BatchesSpent):
                await fleet.drive(1_000, 1, seed=2)
            await fleet.close()
            return step, fleet.left

    step, left = asyncio.run(whole())
    assert step.answered == step.due
    assert left == 402 - step.due, "a step that batches do not suffice for sends none"


class Model:
    """A server that bears so many a second and sheds the rest, with a time to come back or without; it may stay slow ever after."""

    def __init__(self, bears: float, *, sheds: bool = True, recovers: bool = True) -> None:
        self.bears, self.sheds, self.recovers = bears, sheds, recovers
        self.fell, self.driven, self.hiccup, self.batches = False, 0, 0, -1

    async def drive(self, rate: float, seconds: float, seed: int) -> Step:
        step = Step(rate, seconds, ended=seconds)
        if self.driven == self.batches:
            raise BatchesSpent("none is left")
        step.due = step.answered = step.taps = step.posted = int(rate * seconds)
        self.driven += 1
        over = rate > self.bears or self.driven == self.hiccup or (self.fell and not self.recovers)
        self.fell = self.fell or rate > 1.2 * self.bears
        step.latency.add(3.0 if over else 0.01)
        step.shed = step.told_when = 9 if over and self.sheds else 0
        return step


def test_the_knee_is_the_last_rate_that_was_borne_and_the_overload_twice_it() -> None:
    found = asyncio.run(climb(Model(100), Terms(first=20, seconds=1)))
    assert found.knee is not None
    assert [round(step.rate) for step in found.steps] == [20, 30, 45, 68, 101, 101, 135, 34]
    assert [round(step.rate) for step in found.beyond] == [135]
    assert found.knee.rate <= 100 < found.knee.rate * 1.5
    assert found.sheds
    assert found.recovers
    assert found.lost(sum(step.taps for step in found.steps)) == 0


@pytest.mark.parametrize(
    ("model", "sheds", "recovers"),
    [(Model(100, sheds=False), False, True), (Model(100, recovers=False), True, False)],
)
def test_a_server_that_does_not_shed_or_does_not_recover_is_told_apart(
    model: Model, sheds: bool, recovers: bool
) -> None:
    found = asyncio.run(climb(model, Terms(first=20, seconds=1)))
    assert (found.sheds, found.recovers) == (sheds, recovers)


def test_a_moment_in_which_the_machine_did_something_else_is_no_knee() -> None:
    model = Model(100)
    model.hiccup = 2
    found = asyncio.run(climb(model, Terms(first=20, seconds=1)))
    assert [round(step.rate) for step in found.ladder] == [20, 30, 30, 45, 68, 101, 101]
    assert found.knee is not None
    assert round(found.knee.rate) == 68


@pytest.mark.parametrize("steps", range(9))
def test_what_was_seen_before_the_batches_were_spent_is_told(steps: int) -> None:
    model = Model(100)
    model.batches = steps
    found = asyncio.run(climb(model, Terms(first=20, seconds=1)))
    assert [round(step.rate) for step in found.steps] == [20, 30, 45, 68, 101, 101, 135, 34][:steps]
    assert found.short == ("none is left" if steps < 8 else "")
    assert (0 if found.knee is None else round(found.knee.rate)) == [0, 20, 30, 45, 68, 68, 68, 68, 68][steps]
    assert (found.sheds, found.recovers) == (steps > 6, steps > 7)


def test_an_overload_that_sheds_nobody_is_doubled() -> None:
    found = asyncio.run(climb(Model(100, sheds=False), Terms(first=20, seconds=1)))
    assert [round(step.rate) for step in found.beyond] == [135, 270, 540, 1080, 2160]


def test_a_server_that_bears_nothing_has_no_knee() -> None:
    found = asyncio.run(climb(Model(1), Terms(first=20, seconds=1)))
    assert (found.knee, found.sheds, found.recovers) == (None, False, False)
    assert len(found.steps) == 2


def test_the_picture_has_a_row_a_step_and_says_in_words_what_it_shows() -> None:
    found = asyncio.run(climb(Model(100), Terms(first=20, seconds=1)))
    drawn = str(picture([("borne", one) for one in found.steps], "How soon <batches> are answered"))
    root = etree.fromstring(drawn.encode())
    named = {"s": "http://www.w3.org/2000/svg"}
    assert len(root.findall("s:g", named)) == len(found.steps)
    assert root.findtext("s:title", namespaces=named) == "How soon <batches> are answered"
    told = root.findtext("s:desc", namespaces=named) or ""
    assert told.count("batches a second") == len(found.steps)
    assert "99 of 100 within 3.0 s" in told


def test_a_card_that_rides_all_day_never_pays_what_it_does_not_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some 200 taps a card: more than what a card usually holds pays for."""
    left: dict[bytes, int] = {}

    def tapped(one: Rider, *given: Any, **named: Any) -> TapRecord:
        record = paid(one, *given, **named)
        left[one.uid] = one.balance
        return record

    paid = Rider.tap
    monkeypatch.setattr(Rider, "tap", tapped)
    plan = Plan(cards=30, terminals=4, batches=150, taps=10)
    taps = sum(body.taps for _, body in made(Folder(tmp_path / "city"), plan))
    assert taps > 150 * plan.cards
    assert min(left.values()) >= 0
    with pytest.raises(InputRefused, match="take more cards"):
        next(made(Folder(tmp_path / "other"), Plan(cards=1_000, terminals=2_000, batches=2_000)))
    assert not (tmp_path / "other").exists()
