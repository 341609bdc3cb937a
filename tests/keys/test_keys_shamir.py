"""Shamir's shares against published ones and by property; the backup that stands on them."""

from __future__ import annotations

import hashlib
from itertools import combinations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys import backup
from keys.errors import ShareError, VaultError
from keys.filevault import FileVault
from keys.shamir import interpolated, joined, over, split, times
from keys.vault import Role

if TYPE_CHECKING:
    from pathlib import Path

# Blockchain Commons' bc-shamir, test vector of 3 shares of 5, as several SSKR libraries repeat it: SLIP-0039's field and places
# (shares at 0 to 4, the secret at 255).
SECRET = "0ff784df000c4380a5ed683f7e6e3dcf"
SHARES = (
    "00112233445566778899aabbccddeeff",
    "d43099fe444807c46921a4f33a2a798b",
    "d9ad4e3bec2e1a7485698823abf05d36",
    "0d8cf5f6ec337bc764d1866b5d07ca42",
    "1aa7fe3199bc5092ef3816b074cabdf2",
)


@pytest.mark.parametrize("chosen", list(combinations(range(5), 3)))
def test_any_three_of_the_published_shares_make_the_published_secret(chosen: tuple[int, ...]) -> None:
    points = {at: bytes.fromhex(SHARES[at]) for at in chosen}
    assert interpolated(points, 255).hex() == SECRET


def test_the_field_is_that_of_aes() -> None:
    assert times(0x57, 0x83) == 0xC1  # FIPS 197 section 4.2
    assert times(0x57, 0x13) == 0xFE  # FIPS 197 section 4.2.1
    assert all(over(times(left, right), right) == left for left in range(256) for right in range(1, 256))


def secrets(least: int, most: int) -> st.SearchStrategy[bytes]:
    """Secrets of so many bytes that stand nowhere else: hypothesis also draws what stands in the code, which is no secret."""
    drawn = st.tuples(st.binary(max_size=8), st.integers(least, most))
    return drawn.map(lambda pair: hashlib.sha512(b"secret" + pair[0]).digest()[: pair[1]])


@given(secrets(1, 40), st.integers(1, 6), st.integers(0, 4))
def test_any_shares_as_many_as_the_threshold_make_the_secret(
    secret: bytes, threshold: int, more: int
) -> None:
    shares = split(secret, threshold, threshold + more)
    chosen = sorted(shares)[-threshold:]
    assert joined({at: shares[at] for at in chosen}) == secret
    assert joined(shares) == secret


@given(secrets(16, 16), st.binary(min_size=16, max_size=16))
def test_two_shares_of_three_fit_every_secret(secret: bytes, other: bytes) -> None:
    shares = split(secret, 3, 5)
    third = interpolated({0: other, 1: shares[1], 2: shares[2]}, 3)
    assert joined({1: shares[1], 2: shares[2], 3: third}) == other


@pytest.mark.parametrize(
    ("secret", "threshold", "count"), [(b"", 1, 1), (b"x", 0, 1), (b"x", 3, 2), (b"x", 2, 256)]
)
def test_what_cannot_be_split_is_refused(secret: bytes, threshold: int, count: int) -> None:
    with pytest.raises(ShareError):
        split(secret, threshold, count)


@pytest.mark.parametrize("shares", [{}, {0: b"x"}, {256: b"x"}, {1: b"x", 2: b"xy"}])
def test_what_are_no_shares_is_refused(shares: dict[int, bytes]) -> None:
    with pytest.raises(ShareError):
        joined(shares)


def test_three_shares_restore_a_vault_and_two_do_not(tmp_path: Path) -> None:
    vault = FileVault.create(tmp_path / "city.vault", "x", 16, "Semarang")
    vault.add_master(Role.DEBIT, 1, bytes(range(16)))
    data, shares = backup.make(vault)
    assert not vault.shows_in(data)
    papers = [one.text for one in shares]
    for number, chosen in enumerate(combinations(papers, 3)):
        entered = [backup.Share.parse(text) for text in chosen]
        again = backup.restore(data, entered, tmp_path / str(number), "y", 16)
        assert again.contents() == vault.contents()
        again.check_against(vault.record())
    with pytest.raises(ShareError, match="3 different shares"):
        backup.restore(data, [shares[0], shares[1], shares[1]], tmp_path / "new", "y", 16)
    with pytest.raises(VaultError, match="exists"):
        backup.restore(data, shares, tmp_path / "city.vault", "y", 16)


def test_a_mistyped_share_a_changed_backup_and_another_backups_share_are_found(tmp_path: Path) -> None:
    vault = FileVault.create(tmp_path / "city.vault", "x", 16)
    data, shares = backup.make(vault)
    text = shares[0].text
    for at, digit in enumerate(text):
        if digit != " ":
            with pytest.raises(ShareError, match="enter it again") as caught:
                backup.Share.parse(text[:at] + format(int(digit, 16) ^ 1, "x") + text[at + 1 :])
            assert shares[0].value.hex()[:8] not in str(caught.value)
    with pytest.raises(ShareError, match="changed"):
        backup.restore(data[:-1] + bytes([data[-1] ^ 1]), shares, tmp_path / "new", "y", 16)
    with pytest.raises(ShareError, match="3 different shares"):
        backup.restore(data, backup.make(vault)[1], tmp_path / "new", "y", 16)
    for garbage in (b"", b"\x80", data[:9]):
        with pytest.raises(ShareError, match="no backup"):
            backup.restore(garbage, shares, tmp_path / "new", "y", 16)
    assert shares[0].value.hex() not in repr(shares)
