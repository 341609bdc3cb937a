"""What is printed on a card is read back by an independent decoder, at print size, rotated, blurred and damaged; PINs stay on their sealed sheet."""

from __future__ import annotations

import hashlib
import json
import random
import re
import zlib
from typing import TYPE_CHECKING

import pytest
import zxingcpp
from PIL import Image, ImageDraw, ImageFilter

from hebat.cards.printing import faces
from hebat.cards.printing.batch import chosen, print_batch, require_address
from hebat.cards.printing.codes import QUIET, SIDE_MM, Code, code_of
from hebat.errors import InputRefused
from ledger.cardholder.pins import Tried

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cardholder.town import Town

ADDRESS = "https://kartu.example"
DPI = 300
TOKEN = "Zk3v9QmXb1T0aWc7RrYuIg"


def printed(drawing: str) -> Image.Image:
    """The code of a card's SVG as a printer of 300 dots an inch puts it on plastic, with its quiet zone."""
    scale = float(re.search(r"scale\(([\d.]+)\)", drawing)[1])  # type: ignore[index]
    dots = scale / 25.4 * DPI
    runs = [tuple(map(int, one)) for one in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", drawing)]
    side = max(x + length for x, _, length in runs)
    picture = Image.new("L", (round((side + 2 * QUIET) * dots),) * 2, 255)
    pen = ImageDraw.Draw(picture)
    for x, y, length in runs:
        left, top = (x + QUIET) * dots, (y + QUIET) * dots
        pen.rectangle(
            (round(left), round(top), round(left + length * dots) - 1, round(top + dots) - 1), fill=0
        )
    return picture


def read(picture: Image.Image) -> list[str]:
    return [
        one.text
        for one in zxingcpp.read_barcodes(
            picture, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
        )
    ]


@pytest.fixture(scope="module")
def card() -> Image.Image:
    return printed(faces.svg(9360000900000014, code_of(f"{ADDRESS}/c/{TOKEN}"), "60a4 0071 5339 f97c 16bb"))


def test_a_code_is_eighteen_millimetres_and_is_read_at_that_size(card: Image.Image) -> None:
    code = code_of(f"{ADDRESS}/c/{TOKEN}")
    assert abs(code.side * code.square_mm - SIDE_MM) < 1e-9
    assert card.width == round((code.side + 2 * QUIET) * code.square_mm / 25.4 * DPI)
    assert read(card) == [f"{ADDRESS}/c/{TOKEN}"]


@pytest.mark.parametrize("degrees", [3, 17, 45, 90, 133, 180, 271])
def test_a_turned_code_is_read(card: Image.Image, degrees: int) -> None:
    assert read(card.rotate(degrees, expand=True, fillcolor=255)) == [f"{ADDRESS}/c/{TOKEN}"]


@pytest.mark.parametrize("radius", [0.5, 1.0, 1.5])
def test_a_blurred_code_is_read(card: Image.Image, radius: float) -> None:
    assert read(card.filter(ImageFilter.GaussianBlur(radius))) == [f"{ADDRESS}/c/{TOKEN}"]


@pytest.mark.parametrize("seed", range(12))
def test_a_code_of_which_a_fifth_is_worn_off_is_read(card: Image.Image, seed: int) -> None:
    """A scratch or a stain of a fifth of the code, anywhere but on the three corners that make it a code; white, black or grey."""
    dice = random.Random(seed)
    worn, code = card.copy(), code_of(f"{ADDRESS}/c/{TOKEN}")
    square = card.width / (code.side + 2 * QUIET)
    first, corner, inner = QUIET * square, 9 * square, code.side * square
    if seed % 2:
        side = inner * 0.447
        at = first + inner - side - dice.random() * square
        box = (at, at, at + side, at + side)
    else:
        width = inner * 0.2
        left = first + corner + dice.random() * (inner - 2 * corner - width)
        box = (left, first, left + width, first + inner)
    ImageDraw.Draw(worn).rectangle(box, fill=dice.choice((0, 128, 255)))
    assert (box[2] - box[0]) * (box[3] - box[1]) >= 0.199 * inner * inner
    assert read(worn) == [f"{ADDRESS}/c/{TOKEN}"]


def squares_of(pdf: bytes) -> list[tuple[float, float, float, float]]:
    """The filled rectangles of a PDF's first page, in points."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    page = next(text for text in map(inflated, streams) if b" re f" in text)
    found = re.findall(rb"([\d.-]+) ([\d.-]+) ([\d.-]+) ([\d.-]+) re f", page)
    return [(float(x), float(y), float(w), float(h)) for x, y, w, h in found]


def inflated(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return stream


def test_the_pdf_has_the_same_code_at_the_same_size() -> None:
    code = code_of(f"{ADDRESS}/c/{TOKEN}")
    rows = squares_of(faces.pdf([(9360000900000014, code)], "60a4", "a batch"))
    left, width = min(x for x, *_ in rows), max(x + w for x, _, w, _ in rows)
    assert abs((width - left) / 72 * 25.4 - SIDE_MM) < 0.05
    top = max(y for _, y, _, _ in rows)
    dots = DPI / 72
    picture = Image.new("L", (round((width - left) * dots) + 80,) * 2, 255)
    for x, y, w, h in rows:
        edges = (x - left, top - y, x + w - left, top - y + abs(h))
        x0, y0, x1, y1 = (round(edge * dots) + 40 for edge in edges)
        ImageDraw.Draw(picture).rectangle((x0, y0, x1 - 1, y1 - 1), fill=0)
    assert read(picture) == [f"{ADDRESS}/c/{TOKEN}"]


def test_an_address_that_no_code_of_that_size_can_hold_is_refused() -> None:
    require_address(ADDRESS)
    for wrong in (
        "http://kartu.example",
        "https://kartu.example/?x",
        f"https://{'a' * 90}.example",
        "https://kärtu.example",
    ):
        with pytest.raises(InputRefused, match="cannot be printed"):
            require_address(wrong)


def test_a_batch_gives_cards_new_codes_and_pins_and_its_manifest_holds_no_secret(
    town: Town, tmp_path: Path
) -> None:
    cards = [town.card(), town.scene.card(), town.scene.card()]
    known = [town.known(one) for one in cards]
    out = tmp_path / "2026-11-a"
    done = print_batch(town.city, known, ADDRESS, out, lambda _: None)
    manifest = json.loads((out / "manifest.json").read_text())
    assert [one["number"] for one in manifest["cards"]] == [str(one.card_number) for one in known]
    for file, digest in manifest["files"].items():
        assert hashlib.sha256((out / file).read_bytes()).hexdigest() == digest
    for line, card_, issued in zip(manifest["cards"], known, cards, strict=True):
        drawing = (out / line["file"]).read_text()
        assert hashlib.sha256(drawing.encode()).hexdigest() == line["sha256"]
        (address,) = read(printed(drawing))
        token = address.removeprefix(f"{ADDRESS}/c/")
        assert hashlib.sha256(token.encode()).hexdigest() == line["token_sha256"]
        assert token not in (out / "manifest.json").read_text()
        assert town.city.cardholders.tokens.card(token) == card_
        assert town.city.cardholders.tokens.card(issued.token) is None, "the code of before opens nothing"
        assert town.city.cardholders.pins.attempt(card_, "271828").tried is Tried.WRONG
    sealed = (out / "pins.pdf").read_bytes()
    assert b"/Encrypt" in sealed
    assert (out / "pins.pdf").stat().st_mode & 0o077 == 0
    assert done.passphrase not in (out / "manifest.json").read_text()
    assert not re.search(r"pin|passphrase", json.dumps(manifest["cards"]))
    with pytest.raises(InputRefused, match="there already"):
        print_batch(town.city, known, ADDRESS, out, lambda _: None)


def test_cards_without_a_pin_are_the_ones_to_print(town: Town) -> None:
    fresh, had = town.scene.card(), town.card()
    numbers = [one.card_number for one in chosen(town.city, [])]
    assert fresh.identity.card_number in numbers
    assert had.identity.card_number not in numbers
    with pytest.raises(InputRefused, match="was issued here"):
        chosen(town.city, [9360000900099998])


def test_a_code_has_the_squares_of_its_runs() -> None:
    code = code_of("https://kartu.example")
    assert isinstance(code, Code)
    assert sum(run.length for run in code.runs) > code.side**2 * 0.4
