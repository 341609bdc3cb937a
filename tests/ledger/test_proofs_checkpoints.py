"""Checkpoints over journals of every shape, on both databases, against leaves and trees computed another way."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hebat.schema import TABLES
from keys.clock import UnixMs, date_of
from ledger.book import Ledger
from ledger.errors import DatabaseDamaged, ProofUnknown
from ledger.proofs import store
from ledger.proofs.book import KEY_FILE, Checkpoints, Signer, consistency
from ledger.proofs.checkpoint import opened
from ledger.proofs.merkle import root_over
from ledger.proofs.proving import prove_position
from ledger.proofs.verify import Proven, verify
from ledger.transfer import ROW, Flag
from tests.empty import new_ledger
from tests.ledger.entries import CASH, OPERATOR, OTHER_PURSE, PURSE, SUBSIDY, SetClock, transfer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ledger.chain.store import Window
    from ledger.proofs.growing import Tile
    from ledger.store import Database

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNER = Signer(KEY.public_key().public_bytes_raw(), KEY.sign)
DAY_MS = 86_400_000
AMOUNTS = st.lists(st.lists(st.integers(1, 900), min_size=1, max_size=4), max_size=5)


def add_tables(url: str) -> str:
    engine = sa.create_engine(url)
    for metadata in TABLES:
        metadata.create_all(engine)
    engine.dispose()
    return url


def book(database: Database, folder: Path | None = None) -> Checkpoints:
    return Checkpoints(database, "test/ledger", SIGNER, folder)


def post_groups(ledger: Ledger, groups: list[list[int]]) -> None:
    """Each list of amounts as one linked group, a hold now and then."""
    for amounts in groups:
        units = [
            transfer(PURSE, OPERATOR, amount, flags=Flag.LINKED, uid=7, tmc=0) for amount in amounts[:-1]
        ]
        last = Flag.PENDING if amounts[-1] % 3 == 0 else Flag.NONE
        ledger.post([*units, transfer(CASH, OTHER_PURSE, amounts[-1], flags=last)])


def close(ledger: Ledger, clock: SetClock) -> Window:
    window = ledger.close_window(ledger.open_window())
    clock.at = UnixMs(clock.at + DAY_MS)
    return window


def leaves_by_hand(database: Database) -> list[bytes]:
    """The leaves of a journal without taps, group by group, as docs/proofs.md has them."""
    with database.transaction() as connection:
        rows = [
            dict(row._mapping)
            for row in connection.execute(sa.text("SELECT * FROM transfers ORDER BY position"))
        ]
        checkpoints = store.read_checkpoints(connection)
        secrets = {
            kept.position: store.read_secret(connection, kept.business_date) for kept in reversed(checkpoints)
        }
    groups: list[list[dict[str, Any]]] = [[]]
    for row in rows:
        groups[-1].append(row)
        if not row["flags"] & Flag.LINKED:
            groups.append([])
    leaves = []
    for index, group in enumerate(groups[:-1]):
        head = group[0]
        secret = next((secrets[at] for at in sorted(secrets) if at >= head["position"]), None)
        if secret is None:
            continue  # its business date is open still
        salt = Cipher(AES(secret), ECB()).encryptor().update((2 * index).to_bytes(16, "big"))
        raw = b"".join(
            row[name].to_bytes(8, "little", signed=True) for row in group for name in ROW.names or ()
        )
        leaves.append(
            b"\x01\x02\x00" + salt + head["business_date"].to_bytes(4, "big") + head["position"].to_bytes(8, "big")
            + len(group).to_bytes(4, "big") + sha256(raw).digest() + sum(row["amount"] for row in group).to_bytes(8, "big")
            + bytes(8) + head["occurred_at"].to_bytes(8, "big") + bytes(16) + bytes(32)
        )  # fmt: skip
    return leaves


def test_a_checkpoint_signs_the_tree_and_the_chain_of_its_day(
    whole_url: str, clock: SetClock, tmp_path: Path
) -> None:
    with Ledger.open(whole_url, clock) as ledger:
        post_groups(ledger, [[1, 2, 3], [4], [9]])
        head = ledger.head()
        window = close(ledger, clock)
        (made,) = book(ledger.database, tmp_path / "out").make_all()
        said = opened(made.signed, SIGNER.public_key)
        assert (said.size, said.position, said.block, said.head) == (3, 5, head.block, head.digest)
        assert (said.business_date, said.closed_at) == (window.business_date, window.closed_at)
        hashes = [sha256(b"\x00" + leaf).digest() for leaf in leaves_by_hand(ledger.database)]
        assert said.root == root_over(hashes)
        assert said.text().splitlines()[:2] == ["test/ledger", "3"]


@settings(
    max_examples=8,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(AMOUNTS, min_size=1, max_size=4))
def test_every_group_of_random_days_is_proven_under_every_checkpoint_since(
    tmp_path_factory: pytest.TempPathFactory, days: list[list[list[int]]]
) -> None:
    path = tmp_path_factory.mktemp("random") / "ledger.db"
    clock = SetClock(UnixMs(1_748_829_600_000))
    database = new_ledger(f"sqlite:///{path}", *TABLES)
    with Ledger.open(database, clock) as ledger:
        for groups in days:
            post_groups(ledger, groups)
            close(ledger, clock)
            if sum(map(len, groups)) % 2:
                book(database).make_all()  # else the next one makes two at once
        book(database).make_all()
        known = book(database).all()
        leaves = leaves_by_hand(database)
        hashes = [sha256(b"\x00" + leaf).digest() for leaf in leaves]
        for kept in known:
            said = opened(kept.signed, SIGNER.public_key)
            assert said.root == root_over(hashes[: kept.size])
            for later in known[known.index(kept) :]:
                both = consistency(database, kept.business_date, later.business_date)
                assert [one.size for one in both.check(SIGNER.public_key)] == [kept.size, later.size]
        for row in ledger.rows():
            proof = prove_position(database, int(row["position"]))
            assert proof.leaf.encode() == leaves[proof.index]
            covering = next(kept for kept in known if kept.position >= row["position"])
            assert proof.check(SIGNER.public_key).business_date == covering.business_date
            latest = prove_position(database, int(row["position"]), at=known[-1].business_date)
            assert latest.check(SIGNER.public_key).size == len(leaves)
        assert verify(database, SIGNER.public_key) == Proven(len(known), len(leaves), len(known), 0)


def test_more_leaves_than_a_tile_holds_are_proven_too(whole_url: str, clock: SetClock) -> None:
    with Ledger.open(whole_url, clock) as ledger:
        for _ in range(3):
            ledger.post([transfer(amount=one + 1) for one in range(300)])
            ledger.post([transfer(flags=Flag.LINKED) for _ in range(400)] + [transfer(SUBSIDY, OPERATOR)])
            close(ledger, clock)
            book(ledger.database).make_all()
        last = book(ledger.database).all()[-1]
        assert (last.size, last.position) == (903, 2103)
        for position, index in (
            (1, 0),
            (256, 255),
            (257, 256),
            (301, 300),
            (700, 300),
            (702, 301),
            (2103, 902),
        ):
            proof = prove_position(ledger.database, position, at=last.business_date)
            assert (proof.index, proof.check(SIGNER.public_key).size) == (index, 903)
        assert verify(ledger.database, SIGNER.public_key).leaves == 903


def test_closing_again_gives_the_same_bytes_and_files(
    whole_url: str, clock: SetClock, tmp_path: Path
) -> None:
    with Ledger.open(whole_url, clock) as ledger:
        checkpoints = book(ledger.database, tmp_path / "out")
        ledger.after_closing.append(lambda _: checkpoints.make_all())
        post_groups(ledger, [[1], [2, 3]])
        day = ledger.open_window()
        ledger.close_window(day)
        file = tmp_path / "out" / f"{date_of(day).isoformat()}.checkpoint"
        first = checkpoints.signed(day)
        assert file.read_bytes() == first
        assert file.stat().st_mode & 0o777 == 0o644
        assert b"PUBLIC KEY" in (tmp_path / "out" / KEY_FILE).read_bytes()
        file.unlink()
        ledger.close_window(day)
        assert checkpoints.make_all() == []
        assert (file.read_bytes(), checkpoints.signed(day)) == (first, first)
        file.write_bytes(first + b"x")
        with pytest.raises(DatabaseDamaged, match="published with other bytes"):
            checkpoints.publish()


def test_two_who_make_a_checkpoint_at_once_make_the_same(whole_url: str, clock: SetClock) -> None:
    with Ledger.open(whole_url, clock) as ledger:
        post_groups(ledger, [[one] for one in range(1, 300)])
        window = close(ledger, clock)
        one, other = book(ledger.database), book(ledger.database)
        first = one._make(window)
        assert other._make(window) == first
        assert verify(ledger.database, SIGNER.public_key).checkpoints == 1


@pytest.mark.parametrize("writes", [0, 1, 3])
def test_a_checkpoint_that_was_broken_off_is_made_as_if_nothing_had_been(
    whole_url: str, clock: SetClock, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """What is left of it are tiles that the next attempt writes alike, and a secret that it takes over."""
    monkeypatch.setattr("ledger.proofs.book.TILES_A_WRITE", 1)
    with Ledger.open(whole_url, clock) as ledger:
        post_groups(ledger, [[1], [2]])
        close(ledger, clock)
        book(ledger.database).make_all()
        ledger.post([transfer(amount=one + 1) for one in range(1100)])
        close(ledger, clock)
        count, add = iter(range(writes)), store.add_tiles

        def add_some(connection: sa.Connection, tiles: Sequence[tuple[Tile, int]]) -> None:
            if next(count, None) is None:
                raise OSError("the power went")
            add(connection, tiles)

        with monkeypatch.context() as broken:
            broken.setattr(store, "add_tiles", add_some)
            with pytest.raises(OSError, match="power"):
                book(ledger.database).make_all()
        assert verify(ledger.database, SIGNER.public_key).waiting == 1
        (made,) = book(ledger.database).make_all()
        assert made.size == 1102
        assert verify(ledger.database, SIGNER.public_key) == Proven(2, 1102, 2, 0)


def test_an_empty_day_has_a_checkpoint_too(whole_url: str, clock: SetClock) -> None:
    with Ledger.open(whole_url, clock) as ledger:
        close(ledger, clock)
        close(ledger, clock)
        post_groups(ledger, [[5]])
        close(ledger, clock)
        made = book(ledger.database).make_all()
        assert [kept.size for kept in made] == [0, 0, 1]
        first, _, last = [kept.business_date for kept in made]
        old, new = consistency(ledger.database, first, last).check(SIGNER.public_key)
        assert (old.size, old.block, new.size) == (0, 0, 1)
        assert verify(ledger.database, None) == Proven(3, 1, 0, 0)


def test_what_is_not_closed_yet_cannot_be_proven(whole_url: str, clock: SetClock) -> None:
    with Ledger.open(whole_url, clock) as ledger:
        post_groups(ledger, [[1]])
        with pytest.raises(ProofUnknown, match="not closed yet"):
            prove_position(ledger.database, 1)
        day = close(ledger, clock).business_date
        assert verify(ledger.database, None).waiting == 1
        book(ledger.database).make_all()
        post_groups(ledger, [[2]])
        later = close(ledger, clock).business_date
        book(ledger.database).make_all()
        with pytest.raises(ProofUnknown, match="came later"):
            prove_position(ledger.database, 2, at=day)
        with pytest.raises(ProofUnknown, match="earlier date first"):
            consistency(ledger.database, later, day)
        with pytest.raises(ProofUnknown):
            prove_position(ledger.database, 0)


CHANGES = {
    "a checkpoint's size": "UPDATE checkpoints SET size = size + 1",
    "its position": "UPDATE checkpoints SET position = position - 1",
    "its count": "UPDATE checkpoints SET moved = moved - 1",
    "its signature": "UPDATE checkpoints SET signed = (SELECT signed FROM checkpoints WHERE business_date < 0 OR size = 2)",
    "its day": "UPDATE checkpoints SET business_date = business_date + 100",
    "a checkpoint taken out": "DELETE FROM checkpoints WHERE size = 2",
    "a salt": "DELETE FROM checkpoint_salts",
    "a tile's place": "UPDATE proof_tiles SET first_position = first_position + 1",
    "a tile": "UPDATE proof_tiles SET hashes = (SELECT secret FROM checkpoint_salts LIMIT 1)",
    "a tile taken out": "DELETE FROM proof_tiles WHERE width = 2",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_to_what_proofs_rest_on_is_found(sqlite_url: str, clock: SetClock, change: str) -> None:
    add_tables(sqlite_url)
    with Ledger.open(sqlite_url, clock) as ledger:
        for groups in ([[1], [2]], [[3]]):
            post_groups(ledger, groups)
            close(ledger, clock)
        book(ledger.database).make_all()
        assert verify(ledger.database, SIGNER.public_key).checkpoints == 2
        with ledger.database.transaction() as connection:
            connection.execute(sa.text(CHANGES[change]))
        with pytest.raises(DatabaseDamaged, match="restore"):
            verify(ledger.database, SIGNER.public_key)


def test_the_key_of_another_ledger_is_found(sqlite_url: str, clock: SetClock) -> None:
    add_tables(sqlite_url)
    with Ledger.open(sqlite_url, clock) as ledger:
        post_groups(ledger, [[1]])
        close(ledger, clock)
        book(ledger.database).make_all()
        with pytest.raises(DatabaseDamaged, match="not signed by this key"):
            verify(ledger.database, Ed25519PrivateKey.generate().public_key().public_bytes_raw())
