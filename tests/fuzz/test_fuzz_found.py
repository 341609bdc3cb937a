"""What fuzzing found, input by input: each brought an error that was nobody's own, or hours of work, or a text without end."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any, Final

import cbor2
import pytest

from card import ndef
from card.batch import decode_frame
from card.errors import BatchInvalid, TapRefused
from card.virtual import VirtualCard
from hebat.bundles import drafts
from hebat.cards.reserving import Reserved
from hebat.day.feed import read_feed
from hebat.errors import FeedRefused, InputRefused
from hebat.folder import Folder
from hebat.keyroom import carrying
from keys import bundle, cbor, envelope, identity, tokenbackup
from keys.errors import CborMalformed, EnvelopeError, IdentityError, KeyBlockError, VaultLocked
from keys.filevault import FileVault
from keys.vault import Role
from ledger.cardholder import words
from ledger.clients.scopes import Party
from ledger.errors import ClientUnknown, ProofInvalid
from ledger.proofs import file
from settlement.payments import pain002
from settlement.statements.schemas import PREFIX, Schemas
from terminals import loading
from terminals.errors import OutboxError, UploadRefused
from terminals.outbox import Outbox
from tests.fuzz import of_keys, of_ledger, of_terminals, world
from tests.fuzz.table import BY_NAME
from tests.fuzz.trial import tried

if TYPE_CHECKING:
    from pathlib import Path

DECIMAL: Final = bytes.fromhex("c4820063616263")
"""Tag 4, a decimal fraction, of a text: the library's decoder raised `decimal.InvalidOperation`, which no handler knew."""
ENDLESS: Final = bytes.fromhex("d81c81d81d00")
"""A shared list that holds itself."""


@pytest.mark.parametrize(
    "data",
    [
        DECIMAL,
        ENDLESS,
        b"\xf7",
        b"\xff",
        b"\x81\xff",
        b"\xf9\x7e\x00",
        b"\xe0",
        b"\x9f",
        b"",
        b"\x81" * 5_000,
    ],
)
def test_cbor_of_values_that_no_format_here_has_is_refused_whatever_the_library_makes_of_it(
    data: bytes,
) -> None:
    with pytest.raises(CborMalformed):
        cbor.decoded(data)


def test_a_list_that_holds_itself_many_times_is_refused_at_once() -> None:
    with pytest.raises(CborMalformed):
        cbor.decoded(b"\xd8\x1c\x9a" + (50_000).to_bytes(4, "big") + bytes.fromhex("d81d00") * 50_000)


@pytest.mark.parametrize("value", [0, -(1 << 64), [[], {"a": [b"x", None, True]}], {1: {2: "x"}}])
def test_plain_cbor_comes_in_as_it_went_out(value: Any) -> None:
    assert cbor.decoded(cbor2.dumps(value)) == value


def test_an_envelope_of_a_decimal_is_no_envelope() -> None:
    with pytest.raises(EnvelopeError):
        envelope.parse(b"\xd2" + DECIMAL)
    with pytest.raises(EnvelopeError):
        envelope.parse(cbor2.dumps(cbor2.CBORTag(18, [DECIMAL, {}, b"", bytes(64)])))


def test_a_batch_of_a_long_version_is_told_in_few_words() -> None:
    with pytest.raises(BatchInvalid) as refused:
        decode_frame(cbor2.dumps([bytes(100_000), 1, 1, bytes(32), 0, [b""]], canonical=True))
    assert len(str(refused.value)) < 200


def test_a_bundle_of_a_long_kind_is_told_in_few_words() -> None:
    payload = cbor2.dumps([1, bytes(8), "x" * 10_000, "y" * 10_000, 1, 0, 0, b""], canonical=True)
    signed = envelope.seal(
        payload, kid=bundle.key_id(world.PUBLIC), sign=world.KEY.sign, content_type=bundle.CONTENT_TYPE
    )
    with pytest.raises(EnvelopeError) as refused:
        bundle.opened(signed, world.PUBLIC)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    "payload",
    [
        b"\x84\x01",
        cbor2.dumps([1, "x", [], []]),
        cbor2.dumps([1, "x", 1, [["debit", 1, "card", 5, 0, "t", 1, b""]]]),
    ],
)
def test_a_token_backup_whose_signer_wrote_nonsense_is_none(payload: bytes) -> None:
    with pytest.raises(KeyBlockError):
        tokenbackup.parsed(world.sealed(payload, tokenbackup.CONTENT_TYPE, world.PUBLIC))


def test_a_certificate_request_for_a_key_of_an_unknown_kind_is_refused() -> None:
    pem = world.identity().request()
    body = bytearray(b"".join(pem.splitlines()[1:-1]))
    refusals = 0
    for place in range(len(body)):
        changed = bytearray(body)
        changed[place] = ord("A") if body[place] != ord("A") else ord("B")
        with contextlib.suppress(IdentityError):
            identity.requested_key(
                b"-----BEGIN CERTIFICATE REQUEST-----\n"
                + bytes(changed)
                + b"\n-----END CERTIFICATE REQUEST-----\n"
            )
            continue
        refusals += 1
    assert refusals > len(body) // 2


@pytest.mark.parametrize("pem", [b"", b"x", world.certificate()[:200]])
def test_what_is_no_certificate_is_none_for_an_authority_and_for_a_device(pem: bytes) -> None:
    with pytest.raises(IdentityError):
        identity.authority_key(pem)
    with pytest.raises(IdentityError):
        world.identity().install(pem)


def test_an_address_whose_host_is_no_host_is_no_phone_tap() -> None:
    with pytest.raises(TapRefused):
        ndef.parse_address("https://[x/k?e=00")


def test_a_party_of_a_thousand_letters_is_told_in_few_words() -> None:
    with pytest.raises(ClientUnknown) as refused:
        Party.read("x" * 1000)
    assert len(str(refused.value)) < 200


def test_a_saved_card_that_says_it_has_a_file_of_gigabytes_is_none() -> None:
    generation, applications = cbor2.loads(world.chip().save())
    city = next(one for one in applications.values() if one[2])
    next(iter(city[2].values()))[0][3][0] = 1 << 40
    with pytest.raises(ValueError, match="no saved card"):
        VirtualCard.load(cbor2.dumps([generation, applications]))
    with pytest.raises(ValueError, match="no saved card"):
        VirtualCard.load(cbor2.dumps([generation, [1]]))


def test_a_report_that_is_no_xml_has_no_word_of_its_schema() -> None:
    assert pain002.schema_says(b"<", Schemas()) == ""


@pytest.mark.parametrize(
    "stops",
    [
        b"\xff",
        b'stop_id,stop_name,stop_lat,stop_lon\n"',
        b"stop_id,stop_name,stop_lat,stop_lon\nS,A,nan,inf\n",
    ],
)
def test_a_days_feed_of_bytes_or_of_no_place_is_refused(tmp_path: Path, stops: bytes) -> None:
    (tmp_path / "routes.txt").write_bytes(b"route_id\n1\n")
    (tmp_path / "stops.txt").write_bytes(stops)
    with pytest.raises(FeedRefused):
        read_feed(tmp_path)


def test_an_outbox_whose_pages_are_damaged_says_so(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    Outbox(path).close()
    whole = bytearray(path.read_bytes())
    whole[4096:] = b"\xff" * (len(whole) - 4096)
    path.write_bytes(bytes(whole))
    for beside in tmp_path.glob("outbox.sqlite-*"):
        beside.unlink()
    with pytest.raises(OutboxError, match="keep the file"):
        Outbox(path)


@pytest.mark.parametrize("quality", ["sNaN", "NaN", "-1", "1e9", "Infinity", "2", "0.1234", "\u0661", "x"])
def test_a_language_of_a_quality_that_is_none_is_not_wanted(quality: str) -> None:
    assert words.chosen("", f"zh;q={quality}, jv;q=0.1") == "jv"


def test_languages_come_by_their_qualities() -> None:
    assert words.chosen("", "zh;q=0.25, jv;q=0.3, en;q=0.299, id;q=0") == "jv"
    assert words.chosen("", "en;q=0.9, zh, jv;q=1.000") == "zh"


@pytest.mark.parametrize("opening", [[], "", 0, False, {}])
def test_a_proof_whose_opening_is_nothing_in_other_words_is_none(opening: Any) -> None:
    told = json.loads(of_ledger._proofs()[1])
    told["opening"] = opening
    with pytest.raises(ProofInvalid):
        file.decode((json.dumps(told, indent=1) + "\n").encode())


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "x" * 5000, "camt.053.001.08/../camt.053.001.08", "", "\u0661"]
)
def test_what_a_document_calls_itself_names_no_file_but_a_schema(name: str, tmp_path: Path) -> None:
    (tmp_path / "camt.053.001.08.xsd").write_text("x")
    assert Schemas(tmp_path).find(name) is None
    document = f'<Document xmlns="{PREFIX}{name}"/>'.encode()
    assert pain002.schema_says(document, Schemas(tmp_path)) == ""


@pytest.mark.parametrize("field", [2, 3, 4])
def test_a_wrapped_key_that_is_a_length_of_gigabytes_is_none(field: int) -> None:
    fields = [carrying._KIND, Role.DEBIT.value, 1, bytes(3), bytes(24)]
    fields[field] = 1 << 40 if field > 2 else "1"
    with pytest.raises(KeyBlockError):
        carrying._parsed(cbor2.dumps(fields, canonical=True))


def test_a_saved_card_with_more_keys_than_memory_is_none() -> None:
    generation, applications = cbor2.loads(world.chip().save())
    next(iter(applications.values()))[0][1] = 1 << 40
    with pytest.raises(ValueError, match="no saved card"):
        VirtualCard.load(cbor2.dumps([generation, applications]))


def test_an_outbox_whose_texts_are_no_texts_says_so(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    Outbox(path).close()
    whole = path.read_bytes()
    refused = 0
    for place in range(len(whole)):
        if whole[place : place + 6] in {b"CREATE", b"record", b"batche", b"shifts"}:
            path.write_bytes(whole[: place + 3] + b"\xff" + whole[place + 4 :])
            for beside in tmp_path.glob("outbox.sqlite-*"):
                beside.unlink()
            with contextlib.suppress(OutboxError):
                Outbox(path).close()
                continue
            refused += 1
    assert refused > 5


def test_a_vault_whose_file_asks_for_hours_of_work_is_refused_at_once(tmp_path: Path) -> None:
    header, nonce, sealed = cbor2.loads(of_keys._vault_files()[0])
    header[1] = 1 << 20
    path = tmp_path / "city.vault"
    path.write_bytes(cbor2.dumps([header, nonce, sealed]))
    began = time.thread_time()
    with pytest.raises(VaultLocked, match="restore it"):
        FileVault.open(path, "x")
    assert time.thread_time() - began < 0.2


def test_the_vault_decoder_reaches_the_vault() -> None:
    decoder = BY_NAME["vault"]
    seeds = list(decoder.seeds())
    assert all(tried(decoder, seed) for seed in seeds)


@pytest.mark.parametrize("field", ["amount", "balance", "sequence"])
@pytest.mark.parametrize("value", [float("inf"), float("nan"), 50_000.0, True, "5"])
def test_a_load_that_ends_with_a_sum_that_is_none_is_no_answer(field: str, value: object) -> None:
    done = json.loads(of_terminals._steps()[1])
    done["outcome"][field] = value
    with pytest.raises(UploadRefused, match="no step of a load"):
        loading._step(of_terminals._link(b"{}"), done, 1)


def test_a_kept_card_number_without_end_is_none(tmp_path: Path) -> None:
    (tmp_path / "card-numbers.json").write_text('{"04010203040506": Infinity}')
    with pytest.raises(InputRefused, match="restore it"):
        Reserved(Folder(tmp_path))


def test_a_tariffs_name_that_no_text_can_hold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tariff.json"
    path.write_bytes(
        b'{"name": "k\\ud800", "valid_from": "2027-01-01", "full_fare": 3500, "concession_fare": 1000}'
    )
    with pytest.raises(InputRefused, match="printable"):
        drafts.read_tariff(path)
