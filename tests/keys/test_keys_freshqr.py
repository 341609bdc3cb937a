"""A fresh balance in a QR code: the terminal's word for two minutes, and nobody else's."""

from __future__ import annotations

import io
import string

import pytest
import qrcode
import zxingcpp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from keys import envelope
from keys.clock import UnixMs
from keys.errors import EnvelopeError, FreshQrExpired, FreshQrUnreadable, SignatureWrong
from keys.freshqr import AHEAD_SECONDS_MAX, GOOD_SECONDS, TEXT_CHARS, FreshQr
from keys.money import Rupiah

KEY = Ed25519PrivateKey.generate()
PUBLIC = KEY.public_key().public_bytes_raw()
AT = UnixMs(1_790_000_000_500)
NUMBER = 9360_0113_0000_0017
SHOWN = FreshQr.made(KEY.sign, 3001, NUMBER, Rupiah(43_500), 17, AT)


@given(
    st.integers(1, 2**32 - 1),
    st.integers(0, 10**16 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
)
def test_what_a_terminal_showed_is_read_again(
    terminal: int, number: int, balance: int, counter: int, seconds: int
) -> None:
    at = UnixMs(1000 * seconds)
    shown = FreshQr.made(KEY.sign, terminal, number, Rupiah(balance), counter, at)
    read = FreshQr.read(shown.text())
    assert read == shown
    assert (read.terminal, read.card_number, read.balance, read.counter) == (
        terminal,
        number,
        balance,
        counter,
    )
    read.verify(PUBLIC, at)


def test_it_is_good_for_two_minutes_and_a_clock_may_run_half_a_minute_fast() -> None:
    start = 1000 * (AT // 1000)
    SHOWN.verify(PUBLIC, UnixMs(start + 1000 * GOOD_SECONDS - 1))
    SHOWN.verify(PUBLIC, UnixMs(start - 1000 * AHEAD_SECONDS_MAX))
    with pytest.raises(FreshQrExpired, match="hold the card to a terminal again"):
        SHOWN.verify(PUBLIC, UnixMs(start + 1000 * GOOD_SECONDS))
    with pytest.raises(FreshQrExpired, match="clock is wrong"):
        SHOWN.verify(PUBLIC, UnixMs(start - 1000 * AHEAD_SECONDS_MAX - 1))


def test_every_changed_character_is_noticed() -> None:
    text = SHOWN.text()
    for place in range(len(text)):
        for other in string.ascii_uppercase + "234567":
            if other == text[place]:
                continue
            try:
                changed = FreshQr.read(text[:place] + other + text[place + 1 :])
            except FreshQrUnreadable:
                continue
            with pytest.raises(SignatureWrong):
                changed.verify(PUBLIC, AT)
            break


def test_another_terminals_signature_is_not_taken() -> None:
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    for key in (other, b"short"):
        with pytest.raises(SignatureWrong, match="not terminal 3001's"):
            SHOWN.verify(key, AT)


@pytest.mark.parametrize(
    "text",
    ["", "A", SHOWN.text().lower(), SHOWN.text() + "=", SHOWN.text()[:-1], SHOWN.text() + "A", "é" * 154],
)
def test_text_that_no_terminal_wrote_is_refused(text: str) -> None:
    with pytest.raises(FreshQrUnreadable, match="scan its code again"):
        FreshQr.read(text)


def test_no_two_are_alike() -> None:
    again = FreshQr.made(KEY.sign, 3001, NUMBER, Rupiah(43_500), 17, AT)
    assert again.nonce != SHOWN.nonce
    assert again.text() != SHOWN.text()


def test_a_signed_envelope_and_a_fresh_balance_never_pass_for_each_other() -> None:
    said: list[bytes] = []

    def listening(message: bytes) -> bytes:
        said.append(message)
        return KEY.sign(message)

    envelope.seal(b"x", kid=b"\x00", sign=listening, content_type="a")
    FreshQr.made(listening, 1, NUMBER, Rupiah(0), 0, AT)
    assert said[0][0] != said[1][0]
    with pytest.raises(EnvelopeError):
        envelope.parse(said[1])


def test_a_phone_reads_it_from_a_code_of_49_squares_a_side() -> None:
    assert len(SHOWN.text()) == TEXT_CHARS
    address = f"HTTPS://KARTU.SEMARANG.EXAMPLE/Q/{SHOWN.text()}"
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, border=4, box_size=4)
    code.add_data(address)
    code.make(fit=True)
    assert code.modules_count <= 49
    out = io.BytesIO()
    code.make_image().save(out)
    (found,) = zxingcpp.read_barcodes(
        Image.open(out), formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
    )
    assert found.text == address
