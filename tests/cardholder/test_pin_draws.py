"""What a PIN is drawn from: all of a million, each as likely as another. OWASP ASVS 5.0 row 6.5.4 takes six random digits for twenty bits."""

from __future__ import annotations

from collections import Counter

from ledger.cardholder.pins import PIN_DIGITS, new_pin

DRAWN = 20_000
CHI_SQUARE_MAX = 60.0
"""Of nine degrees of freedom: by chance in one of a billion runs."""


def test_a_pin_is_six_digits_each_as_likely_as_another() -> None:
    drawn = [new_pin() for _ in range(DRAWN)]
    assert all(len(pin) == PIN_DIGITS and pin.isascii() and pin.isdigit() for pin in drawn)
    for place in range(PIN_DIGITS):
        counts = Counter(pin[place] for pin in drawn)
        expected = DRAWN / 10
        assert sum((counts[str(digit)] - expected) ** 2 / expected for digit in range(10)) < CHI_SQUARE_MAX
    assert len(set(drawn)) > DRAWN * 0.98, "some 198 pairs are drawn alike by chance"
