"""Programs that nobody here wrote talk to the virtual card through pcscd: OpenSC, pcsc-tools, libnfc's and libfreefare's."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from card import ndef, pcsc
from card.personalise import personalise
from card.virtual import VirtualCard
from card.virtual.vpcd import VpcdSlot
from tests.card.known import IDENTITY
from tests.card.pcscd import SLOTS, WAIT_S, Pcscd, need

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keys.filevault import FileVault

pytest_plugins = ["tests.card.pcscd_fixtures"]

FIRST, SECOND = SLOTS
ROOT = Path(__file__).resolve().parents[2]
UID = bytes.fromhex("04a1b2c3d4e5f6")
PACKAGES = {
    "opensc-tool": "opensc",
    "pcsc_scan": "pcsc-tools",
    "scriptor": "pcsc-tools",
    "nfc-list": "libnfc-bin",
}
BUILD_S = 240
CREATE = bytes.fromhex("90ca0000050102030f0100")
"""CreateApplication as a chip as delivered lets anybody: number, key settings, one DES key."""
LIST = bytes.fromhex("906a000000")


class Traced:
    """A card, and what was said to it."""

    def __init__(self, chip: VirtualCard) -> None:
        self.chip = chip
        self.uid = chip.uid
        self.exchanges: list[tuple[str, str]] = []

    def leave_field(self) -> None:
        self.chip.leave_field()

    def transmit(self, apdu: bytes) -> bytes:
        answer = self.chip.transmit(apdu)
        self.exchanges.append((apdu.hex(), answer.hex()))
        return answer

    @property
    def trace(self) -> str:
        return "\n".join(f"> {apdu}\n< {answer}" for apdu, answer in self.exchanges)


class Bench:
    """A blank card in the first slot, and programs run beside it."""

    def __init__(self, pcscd: Pcscd, card: Traced) -> None:
        self.card = card
        self._environment = pcscd.environment

    def run(self, *command: str, says: str = "", libnfc: dict[str, str] | None = None, ends: int = 0) -> str:
        """What a program prints; `says` goes to its standard input. Fails with the card's trace where it does not end as it should."""
        missing = shutil.which(command[0]) is None
        need(f"the Debian package {PACKAGES.get(command[0], 'libfreefare-bin')}" if missing else "")
        done = subprocess.run(
            command,
            input=says,
            capture_output=True,
            text=True,
            timeout=WAIT_S * 3,
            check=False,
            env={**self._environment, **(libnfc or {})},
        )
        assert done.returncode == ends, f"{done.stdout}{done.stderr}\n{self.card.trace}"
        return done.stdout + done.stderr


@pytest.fixture
def bench(pcscd: Pcscd) -> Iterator[Bench]:
    """A chip as delivered in the first slot; pcscd has seen it."""
    card = Traced(VirtualCard(UID))
    with VpcdSlot(card, pcscd.port):
        pcsc.wait_for_card(FIRST, WAIT_S).close()
        card.exchanges.clear()
        yield Bench(pcscd, card)


@pytest.fixture(scope="session")
def libnfc() -> dict[str, str]:
    """The environment in which Debian's programs use a libnfc that has its PC/SC driver (built once, into var)."""
    target = ROOT / "var" / "libnfc-pcsc"
    script = [str(Path(__file__).with_name("build_libnfc.sh")), str(target)]
    try:
        done = subprocess.run(script, capture_output=True, text=True, timeout=BUILD_S, check=False)
    except subprocess.TimeoutExpired:
        need("a libnfc with its PC/SC driver, and the archive with its source did not answer")
    else:
        need(f"a libnfc with its PC/SC driver: {done.stderr[-500:]}" if done.returncode else "")
    return {"LD_LIBRARY_PATH": str(target), "LIBNFC_DEVICE": f"pcsc:{FIRST}"}


def octets(data: bytes, between: str = " ") -> str:
    return data.hex(between).upper()


# OpenSC


def test_opensc_lists_both_readers_and_sees_which_has_a_card(bench: Bench) -> None:
    listed = bench.run("opensc-tool", "--list-readers")
    assert re.search(rf"^0 +Yes +{FIRST}$", listed, re.MULTILINE)
    assert re.search(rf"^1 +No +{SECOND}$", listed, re.MULTILINE)


def test_opensc_shows_the_atr(bench: Bench) -> None:
    assert bench.run("opensc-tool", "--reader", FIRST, "--atr").strip() == "3b:81:80:01:80:80"


def test_opensc_asks_for_the_uid_and_for_all_three_frames_of_the_version(bench: Bench) -> None:
    asked = ["ff:ca:00:00:00", "90:60:00:00:00", "90:af:00:00:00", "90:af:00:00:00"]
    options = [word for apdu in asked for word in ("--send-apdu", apdu)]
    said = bench.run("opensc-tool", "--card-driver", "default", "--reader", FIRST, *options)
    assert re.findall(r"SW1=0x(..), SW2=0x(..)", said) == [
        ("90", "00"),
        ("91", "AF"),
        ("91", "AF"),
        ("91", "00"),
    ]
    assert said.count(octets(UID)) == 2


def test_opensc_tries_its_drivers_on_the_card_and_does_no_harm(bench: Bench) -> None:
    bench.run("opensc-tool", "--reader", FIRST, "--name")
    assert len(bench.card.exchanges) > 20
    with pcsc.wait_for_card(FIRST, WAIT_S) as card:
        assert card.uid == UID


# pcsc-tools


def test_pcsc_scan_takes_the_card_for_a_desfire(bench: Bench) -> None:
    said = bench.run("pcsc_scan", "-t", "1")
    assert f"Reader 0: {FIRST}" in said
    assert "TCK = 80 (correct checksum)" in said
    assert "NXP DESFire" in said


def test_scriptor_reads_the_version_in_native_frames(bench: Bench) -> None:
    said = bench.run("scriptor", "-r", FIRST, says="FF CA 00 00 00\n60\nAF\nAF\n")
    frames = [bytes.fromhex(line[2:].split(":")[0]) for line in said.splitlines() if line.startswith("< ")]
    assert frames[0] == UID + b"\x90\x00"
    assert [(frame[0], len(frame)) for frame in frames[1:]] == [(0xAF, 8), (0xAF, 8), (0x00, 15)]
    assert frames[3][1:8] == UID


# libnfc and libfreefare


def test_libnfc_lists_the_card_with_its_uid_and_ats(bench: Bench, libnfc: dict[str, str]) -> None:
    said = bench.run("nfc-list", libnfc=libnfc)
    assert "1 ISO14443A passive target(s) found" in said
    assert f"UID (NFCID1): {UID.hex(' ').replace(' ', '  ')}" in said
    assert "ATS: 75  77  81  02  80" in said


def free_memory(said: str) -> int:
    found = re.search(r"Free memory: (\d+) bytes", said)
    assert found is not None, said
    return int(found[1])


def test_libfreefare_shows_uid_version_and_storage(bench: Bench, libnfc: dict[str, str]) -> None:
    said = bench.run("mifare-desfire-info", libnfc=libnfc)
    assert f"Version information for tag {UID.hex()}" in said
    assert re.search(rf"UID: +0x{UID.hex()}\n", said)
    assert re.findall(r"Vendor ID: +(0x..)\n", said) == ["0x04", "0x04"]
    sizes = re.findall(r"Storage size: +0x.. \(.(\d+) bytes\)", said)
    assert len(sizes) == 2
    assert free_memory(said) >= int(sizes[0])
    assert "Master Key settings (0x0f)" in said
    assert "Use random UID: no" in said


def test_libfreefare_sees_that_a_personalised_card_has_less_room(
    bench: Bench, libnfc: dict[str, str], vault: FileVault
) -> None:
    before = free_memory(bench.run("mifare-desfire-info", libnfc=libnfc))
    personalise(bench.card, vault, IDENTITY)
    bench.card.leave_field()
    assert free_memory(bench.run("mifare-desfire-info", libnfc=libnfc)) < before


def test_libfreefare_formats_a_card_with_the_key_that_chips_are_delivered_with(
    bench: Bench, libnfc: dict[str, str]
) -> None:
    """D40: challenge and proof both ways, then key settings and format; the chip is as new, as delivered."""
    assert bench.card.transmit(CREATE) == b"\x91\x00"
    assert bench.card.transmit(LIST)[:-2] == CREATE[5:8]
    said = bench.run("mifare-desfire-format", "-y", libnfc=libnfc)
    assert f"Found Mifare DESFire with UID {UID.hex()}" in said
    assert bench.card.transmit(LIST) == b"\x91\x00"


def test_libfreefare_keeps_an_encrypted_file_and_reads_it_back(bench: Bench, libnfc: dict[str, str]) -> None:
    """Its own example writes and reads in D40 secure messaging, checks the sums of what it reads, and formats the chip at the end."""
    bench.run("mifare-desfire-access", libnfc=libnfc)
    sent = [apdu[2:4] for apdu, answer in bench.card.exchanges if answer.endswith("9100")]
    assert [ins for ins in sent if ins in {"ca", "cd", "3d", "bd", "fc"}] == ["ca", "cd", "3d", "bd", "fc"]
    assert bench.card.transmit(LIST) == b"\x91\x00"


def test_libfreefare_makes_an_ndef_card_and_reads_back_what_it_wrote(
    bench: Bench, libnfc: dict[str, str], tmp_path: Path
) -> None:
    """AES or DES keys, ISO names, a capability container, and messages in frames: the NDEF mapping as a stranger understands it."""
    bench.run("mifare-desfire-create-ndef", "-y", libnfc=libnfc)
    message, read = tmp_path / "message", tmp_path / "read"
    message.write_bytes(bytes.fromhex("d1011755046b617274752e6578616d706c652f73656d6172616e67"))
    # Once it has written, the program frees its message for each reader there is, and so twice here.
    bench.run("mifare-desfire-write-ndef", "-y", "-i", str(message), libnfc=libnfc, ends=-signal.SIGABRT)
    bench.run("mifare-desfire-read-ndef", "-y", "-o", str(read), libnfc=libnfc)
    assert read.read_bytes() == message.read_bytes()
    bench.card.leave_field()
    assert ndef.read_address(bench.card.chip) == "https://kartu.example/semarang"


@pytest.mark.parametrize("tool", ["configure-default-key", "configure-ats", "configure-random-uid"])
def test_libfreefare_configures_the_chip(bench: Bench, libnfc: dict[str, str], tool: str) -> None:
    said = bench.run(f"mifare-desfire-ev1-{tool}", "-y", libnfc=libnfc)
    assert UID.hex() in said
    chip = bench.card.chip
    changed = {
        "configure-default-key": chip.default_key is not None,
        "configure-ats": any(
            apdu.startswith("905c") and apdu[10:12] == "02" and answer == "9100"
            for apdu, answer in bench.card.exchanges
        ),
        "configure-random-uid": chip.random_id,
    }
    assert changed[tool]
