"""Proofs of taps: what a cardholder can show to anybody, and what nobody can twist or learn from it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from card.layout import TapKind
from hebat.folder import Folder
from hebat.founding import AUTHORITY_LABEL
from hebat.ledger_commands.telling import facts, sentences
from keys.bundle import city_id
from keys.clock import UnixMs, day_of
from keys.identity import TerminalRole
from keys.money import Rupiah, sen_of
from ledger.errors import DatabaseDamaged, ProofInvalid, ProofUnknown
from ledger.intake.receipt import LABEL
from ledger.proofs import store
from ledger.proofs.book import KEY_FILE, consistency
from ledger.proofs.file import FILE_BYTES_MAX, Inclusion, decode
from ledger.proofs.leaf import What
from ledger.proofs.proving import prove_position, prove_tap
from ledger.proofs.verify import verify
from tests.ledger.desk import DAY, MERCHANT, Scene, open_scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hebat.issuing import Issued
    from ledger.proofs.checkpoint import Checkpoint

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A city with some taps on two closed business dates."""
    opened = open_scene(Folder(tmp_path_factory.mktemp("proofs") / "city"), fresh=True)
    with opened.city:
        yield opened


@pytest.fixture(scope="module")
def cards(scene: Scene) -> list[Issued]:
    """Five cards that were loaded, rode (once for nothing), and bought; the first one again on the next date."""
    cards = [scene.card(loaded=50_000) for _ in range(5)]
    bus, till = scene.desk(), scene.desk(502, TerminalRole.MERCHANT, MERCHANT)
    for card in cards:
        bus.tap(card, TapKind.FARE, 3_500)
        bus.tap(card, TapKind.FARE, 0)
        till.tap(card, TapKind.SALE, 12_000)
    assert {one["result"] for one in (*bus.send().results, *till.send().results)} == {"posted"}
    scene.city.ledger.close_window(day_of(DAY))
    scene.clock.move_to(UnixMs(scene.clock.now() + 86_400_000))
    bus.tap(cards[0], TapKind.FARE, 3_500)
    bus.send()
    scene.city.ledger.close_window(scene.city.ledger.open_window())
    return cards


def key(scene: Scene) -> bytes:
    return scene.city.vault.public_key(LABEL)


def proof_of(scene: Scene, card: Issued, tmc: int, *, named: bool = True) -> Inclusion:
    uid = int.from_bytes(card.chip.uid, "big")
    partition = next(one.partition for one in scene.city.registry.cards() if one.uid == uid)
    return prove_tap(scene.city.ledger.database, partition, uid, tmc, named=named)


def told(scene: Scene, proof: Inclusion) -> Checkpoint:
    return proof.check(key(scene))


def test_every_tap_of_a_closed_date_is_proven_as_its_card_signed_it(
    scene: Scene, cards: list[Issued]
) -> None:
    for card in cards:
        expected = [(3, 50_000, 50_000), (1, -3_500, 46_500), (1, 0, 46_500), (2, -12_000, 34_500)]
        for tmc, (kind, amount, left) in enumerate(expected, start=1):
            proof = proof_of(scene, card, tmc)
            assert told(scene, proof).business_date == day_of(DAY)
            assert proof.leaf.what is What.TAP
            assert (proof.leaf.kind, proof.leaf.amount) == (kind, sen_of(Rupiah(amount)))
            assert proof.leaf.balance_after == sen_of(Rupiah(left))
            assert proof.opening is not None
            assert (proof.opening.uid, proof.opening.tmc) == (card.chip.uid, tmc)
            assert proof.opening.number == card.identity.card_number // 10
            assert bool(proof.leaf.position) == bool(amount)
            assert decode(proof.encode()) == proof


def test_one_tree_grows_over_the_dates(scene: Scene, cards: list[Issued]) -> None:
    first, second = scene.city.checkpoints.all()
    assert (first.size, first.moved, second.size) == (20, 15, 21)
    proof = consistency(scene.city.ledger.database, first.business_date, second.business_date)
    old, new = proof.check(key(scene))
    assert (old.size, new.size) == (20, 21)
    assert decode(proof.encode()) == proof
    assert old.origin.endswith(city_id(scene.city.vault.public_key(AUTHORITY_LABEL)).hex())
    uid = int.from_bytes(cards[0].chip.uid, "big")
    card = scene.city.registry.card(uid)
    assert card is not None
    later = prove_tap(scene.city.ledger.database, card.partition, uid, 2, at=second.business_date)
    assert later.check(key(scene)).business_date == second.business_date
    found = verify(scene.city.ledger.database, key(scene))
    assert (found.checkpoints, found.leaves, found.signatures, found.waiting) == (2, 21, 2, 0)


def test_people_are_told_what_was_proven_in_plain_sentences(scene: Scene, cards: list[Issued]) -> None:
    proof = proof_of(scene, cards[1], 2)
    text = "\n".join(sentences(proof, told(scene, proof)))
    number, uid = cards[1].identity.card_number, cards[1].chip.uid.hex()
    for words in (
        "Proven.",
        f"Card {number} (UID {uid})",
        "transaction 2",
        "paid a fare of Rp3.500",
        "Rp46.500 was left",
    ):
        assert words in text
    assert facts(proof, told(scene, proof))["card"] == {"number": number, "uid": uid, "tmc": 2}


def test_a_proof_without_the_cards_name_tells_nothing_of_it(scene: Scene, cards: list[Issued]) -> None:
    proof = proof_of(scene, cards[1], 2, named=False)
    assert told(scene, proof).size == 20
    text = proof.encode().decode() + "\n".join(sentences(proof, told(scene, proof)))
    for card in cards:
        assert card.chip.uid.hex() not in text
        assert str(card.identity.card_number)[:15] not in text


def test_a_proof_says_nothing_of_other_peoples_cards(scene: Scene, cards: list[Issued]) -> None:
    text = proof_of(scene, cards[1], 2).encode().decode()
    for other in (*cards[:1], *cards[2:]):
        assert other.chip.uid.hex() not in text
        assert str(other.identity.card_number)[:15] not in text
    salts = {proof_of(scene, card, tmc).leaf.salt for card in cards for tmc in (1, 2, 3, 4)}
    assert len(salts) == 20


def test_every_changed_byte_of_a_proof_is_refused(scene: Scene, cards: list[Issued]) -> None:
    dice = random.Random(20)
    for proof in (proof_of(scene, cards[2], 3), proof_of(scene, cards[2], 2, named=False)):
        data = proof.encode()
        for at in range(len(data)):
            for change in (1, 0x20, dice.randrange(1, 256)):
                with pytest.raises(ProofInvalid):
                    decode(data[:at] + bytes([data[at] ^ change]) + data[at + 1 :]).check(key(scene))
        for at in dice.sample(range(len(data)), 40):
            for other in (data[:at], data[:at] + data[at + 1 :], data[:at] + b" " + data[at:]):
                with pytest.raises(ProofInvalid):
                    decode(other).check(key(scene))


def test_every_changed_byte_of_a_consistency_proof_is_refused(scene: Scene, cards: list[Issued]) -> None:
    assert cards
    first, second = scene.city.checkpoints.all()
    data = consistency(scene.city.ledger.database, first.business_date, second.business_date).encode()
    for at in range(len(data)):
        with pytest.raises(ProofInvalid):
            decode(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]).check(key(scene))


SPELLINGS: dict[str, Callable[[dict[str, Any]], object]] = {
    "another order": lambda told: dict(reversed(told.items())),
    "a field more": lambda told: told | {"more": 1},
    "a number as text": lambda told: told | {"index": str(told["index"])},
    "a truth for a number": lambda told: told | {"index": True},
    "capital letters": lambda told: told | {"checkpoint": told["checkpoint"].upper()},
    "a path without end": lambda told: told | {"path": ["00" * 32] * 64},
    "no leaf": lambda told: told | {"leaf": None},
    "an opening that is a list": lambda told: told | {"opening": [1]},
    "a far too large amount": lambda told: told | {"leaf": told["leaf"] | {"amount": 1 << 70}},
    "an unknown kind of leaf": lambda told: told | {"leaf": told["leaf"] | {"what": 9}},
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_proof_has_one_spelling(scene: Scene, cards: list[Issued], spelling: str) -> None:
    made = json.loads(proof_of(scene, cards[0], 2).encode())
    twisted = (json.dumps(SPELLINGS[spelling](made), indent=1) + "\n").encode()
    with pytest.raises(ProofInvalid):
        decode(twisted).check(key(scene))


def test_what_is_no_proof_at_all_is_refused() -> None:
    for data in (
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff" * 9,
        b'{"format": []}',
        b"[" * 9000,
        b" " * (FILE_BYTES_MAX + 1),
    ):
        with pytest.raises(ProofInvalid):
            decode(data)


def test_the_proof_of_one_card_is_none_of_another(scene: Scene, cards: list[Issued]) -> None:
    one, other = proof_of(scene, cards[0], 2), proof_of(scene, cards[1], 2)
    for mixed in (
        Inclusion(one.leaf, other.opening, one.index, one.path, one.signed),
        Inclusion(other.leaf, other.opening, one.index, one.path, one.signed),
        Inclusion(one.leaf, one.opening, other.index, one.path, one.signed),
        Inclusion(one.leaf, one.opening, one.index, other.path, one.signed),
    ):
        with pytest.raises(ProofInvalid):
            mixed.check(key(scene))


def test_what_is_not_in_the_books_cannot_be_proven(scene: Scene, cards: list[Issued]) -> None:
    with pytest.raises(ProofUnknown, match="no transaction 99"):
        proof_of(scene, cards[0], 99)
    other = scene.card(loaded=10_000)
    with pytest.raises(ProofUnknown, match="not closed yet"):
        proof_of(scene, other, 1)


def test_a_tap_changed_in_the_books_is_found_and_not_proven(scene: Scene, cards: list[Issued]) -> None:
    """The taps' table lies outside the journal's chain: the tree covers it."""
    from sqlalchemy import text  # noqa: PLC0415

    uid = int.from_bytes(cards[3].chip.uid, "big")
    database = scene.city.ledger.database
    change = "UPDATE taps SET balance_after = balance_after + {} WHERE tmc = {} AND uid = {}"
    for tmc in (2, 3):
        with database.transaction() as connection:
            connection.execute(text(change.format(100, tmc, uid)))
        with pytest.raises(DatabaseDamaged, match="leaf"):
            verify(database, key(scene))
        with pytest.raises(DatabaseDamaged, match="leaf"):
            proof_of(scene, cards[3], tmc)
        with database.transaction() as connection:
            connection.execute(text(change.format(-100, tmc, uid)))
    assert verify(database, key(scene)).leaves == 21


def test_a_position_is_proven_with_its_whole_group(scene: Scene, cards: list[Issued]) -> None:
    fare = proof_of(scene, cards[0], 2)
    with scene.city.ledger.database.transaction() as connection:
        assert store.cards_of(connection, cards[0].identity.card_number)[0][1] == int.from_bytes(
            cards[0].chip.uid, "big"
        )
    assert prove_position(scene.city.ledger.database, fare.leaf.position) == fare


BLOCKED = """
import sys
for name in ("numba", "numpy", "sqlalchemy", "polars", "fastapi", "pandas"):
    sys.modules[name] = None
from hebat.cli import main
sys.argv = ["hebat", *sys.argv[1:]]
main()
"""


def third_party(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """`hebat` for somebody who has neither database nor engine installed."""
    command = [sys.executable, "-c", BLOCKED, *map(str, arguments)]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env=environment)


def test_a_third_party_checks_a_proof_with_nothing_but_the_file_and_the_key(
    scene: Scene, cards: list[Issued], tmp_path: Path
) -> None:
    data = proof_of(scene, cards[0], 2).encode()
    (tmp_path / "tap.json").write_bytes(data)
    (tmp_path / "changed.json").write_bytes(data.replace(b'"index": ', b'"index": 1'))
    (tmp_path / "key.pem").write_bytes((scene.city.folder.checkpoints / KEY_FILE).read_bytes())
    good = third_party("proof", "verify", "tap.json", "--key", "key.pem", cwd=tmp_path)
    assert (good.returncode, good.stdout.splitlines()[0]) == (0, "Proven."), good.stderr
    machine = third_party("proof", "verify", "tap.json", "--key", key(scene).hex(), "--json", cwd=tmp_path)
    assert json.loads(machine.stdout)["amount"] == -350_000
    for file, by, code in (
        ("changed.json", "key.pem", 1),
        ("tap.json", "00" * 32, 1),
        ("none.json", "key.pem", 2),
        ("tap.json", "none.pem", 2),
    ):
        bad = third_party("proof", "verify", file, "--key", by, cwd=tmp_path)
        assert (bad.returncode, bad.stdout) == (code, ""), bad.stderr
        assert bad.stderr.startswith("hebat: ")
        assert len(bad.stderr.strip().splitlines()) == 1
