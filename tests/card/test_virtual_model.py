"""Random commands, in sessions of every kind, give on the virtual chip what the data sheet's rules give in plain Python."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from card import client, management, older
from card.apdu import Ins
from card.applications import ApplicationSettings
from card.channel import CommMode
from card.commands import FREE, NEVER, FileSettings, FileType, Rights
from card.errors import StatusError
from card.native import Native
from card.personalise import open_delivered
from card.virtual import VirtualCard
from keys.softkey import FACTORY_KEY
from tests.card.datasheet import BOTH, READS, USES, WRITES, DataSheet, Refused

AID = b"TST"
KEYS = 3
# Mostly the files that an operation is for, and keys that may: a refusal ends the session, and with it what is interesting.
DATA = st.sampled_from([1, 2, 2, 1, 2, 1, 2, 3, 4])
VALUE = st.sampled_from([3] * 9 + [2, 4])
RECORDS = st.sampled_from([4, 5, 4, 5, 4, 5, 4, 5, 1, 3])
AMOUNTS = st.one_of(st.integers(0, 120), st.integers(0, 700))
holders = st.sampled_from([0, 0, 0, 1, 2, FREE, FREE, NEVER])
# Key 0 may always change a file's rights: a file that nobody may change ends a run too early.
some = st.builds(Rights, holders, holders, holders, st.just(0))
modes = st.sampled_from(list(CommMode))


class ChipAgainstDataSheet(RuleBasedStateMachine):
    """Every operation's answer, or the status of its refusal, is the data sheet's."""

    @initialize(
        sets=st.lists(st.one_of(st.just([Rights(0, 0, 0, 0)]), st.lists(some, min_size=1, max_size=3)), min_size=5, max_size=5), chosen=st.tuples(*[modes] * 5),
        native=st.booleans(), patient=st.booleans(),
    )  # fmt: skip
    def make(
        self, sets: list[list[Rights]], chosen: tuple[CommMode, ...], native: bool, patient: bool
    ) -> None:
        shapes: list[dict[str, Any]] = [
            {"kind": FileType.STANDARD, "size": 8}, {"kind": FileType.BACKUP, "size": 70},
            {"kind": FileType.VALUE, "upper": 1_000, "value": 300, "limited": True},
            {"kind": FileType.CYCLIC, "record_size": 4, "records": 4},
            {"kind": FileType.LINEAR, "record_size": 4, "records": 3},
        ]  # fmt: skip
        made = zip(shapes, chosen, sets, strict=True)
        files = {
            number: FileSettings(mode=mode, rights=tuple(one), **shape)
            for number, (shape, mode, one) in enumerate(made, 1)
        }
        self.chip = VirtualCard(bytes([4, 0, 0, 0, 0, 0, 1]))
        self.card = Native(self.chip) if native else self.chip
        management.create_application(open_delivered(self.card), ApplicationSettings(AID, KEYS))
        client.select(self.card, AID)
        session = client.authenticate(self.card, 0, FACTORY_KEY)
        for number, one in files.items():
            management.create_file(session, number, one)
        self.model = DataSheet(files)
        self.patient, self.kind = False, "none"
        self.select()
        self.patient = patient

    def expect(self, act: str, send: Any, names: tuple[str, ...], number: int, *arguments: Any) -> None:
        """Do it here and there; both answer the same, or refuse with the same status."""
        try:
            mode = self.model.mode(number, names) if number else CommMode.MAC
        except Refused:
            mode = CommMode.PLAIN
        try:
            expected = getattr(self.model, act)(*([number] if number else []), *arguments)
        except Refused as refused:
            expected = refused.status
            self.model.lose()
        try:
            found = send(mode)
        except StatusError as error:
            found = error.status
            self.session = client.free(self.card)
        assert found == expected, act
        if self.patient and self.model.key is None:
            self.authenticate(0, "EV2")

    @rule(key=st.sampled_from([0, 0, 0, 1, 2]), how=st.sampled_from(["EV2", "EV2 again", "EV1"]))
    def authenticate(self, key: int, how: str) -> None:
        if how == "EV2 again" and self.model.key is not None and self.kind == "EV2":
            self.session.authenticate_again(key, FACTORY_KEY)
        else:
            self.model.lose()
            start = older.authenticate_aes if how == "EV1" else client.authenticate
            self.session, self.kind = start(self.card, key, FACTORY_KEY), "EV1" if how == "EV1" else "EV2"
        self.model.key = key

    @rule()
    def select(self) -> None:
        client.select(self.card, AID)
        self.session, self.kind = client.free(self.card), "none"
        self.model.lose()
        if self.patient:
            self.authenticate(0, "EV1")

    @rule(really=st.sampled_from([True, False, False, False]))
    def leave_field(self, really: bool) -> None:
        if really:
            self.chip.leave_field()
            self.select()

    @rule(number=DATA, offset=st.integers(0, 9), length=st.integers(0, 9))
    def read(self, number: int, offset: int, length: int) -> None:
        self.expect(
            "read",
            lambda mode: self.session.read(number, mode, offset, length),
            READS,
            number,
            offset,
            length,
        )

    @rule(
        number=DATA,
        offset=st.integers(0, 3),
        data=st.one_of(st.binary(min_size=1, max_size=5), st.binary(min_size=1, max_size=72)),
    )
    def write(self, number: int, offset: int, data: bytes) -> None:
        self.expect(
            "write", lambda mode: self.session.write(number, data, mode, offset), WRITES, number, offset, data
        )

    @rule(number=VALUE)
    def value(self, number: int) -> None:
        def send(mode: CommMode) -> int:
            asked = CommMode.PLAIN if mode is CommMode.PLAIN else CommMode.MAC
            answer = self.session.send(Ins.GET_VALUE, bytes((number,)), asked, answer=mode)
            return int.from_bytes(answer, "little", signed=True)

        self.expect("value", send, USES, number)

    def move(self, act: str, ins: Ins, names: tuple[str, ...], number: int, amount: int) -> None:
        def send(mode: CommMode) -> None:
            self.session.send(ins, bytes((number,)), mode, amount.to_bytes(4, "little"))

        self.expect(act, send, names, number, amount)

    @rule(number=VALUE, amount=AMOUNTS)
    def credit(self, number: int, amount: int) -> None:
        self.move("credit", Ins.CREDIT, BOTH, number, amount)

    @rule(number=VALUE, amount=AMOUNTS)
    def debit(self, number: int, amount: int) -> None:
        self.move("debit", Ins.DEBIT, USES, number, amount)

    @rule(number=VALUE, amount=AMOUNTS)
    def limited_credit(self, number: int, amount: int) -> None:
        self.move("limited_credit", Ins.LIMITED_CREDIT, WRITES, number, amount)

    @rule(number=RECORDS, data=st.binary(min_size=1, max_size=4))
    def append(self, number: int, data: bytes) -> None:
        self.expect(
            "append", lambda mode: self.session.write_record(number, data, mode), WRITES, number, data
        )

    @rule(number=RECORDS, latest=st.integers(0, 3), data=st.binary(min_size=1, max_size=4))
    def update(self, number: int, latest: int, data: bytes) -> None:
        self.expect(
            "update",
            lambda mode: self.session.update_record(number, latest, data, mode),
            BOTH,
            number,
            latest,
            data,
        )

    @rule(number=RECORDS)
    def clear(self, number: int) -> None:
        def send(mode: CommMode) -> None:
            self.session.send(
                Ins.CLEAR_RECORD_FILE,
                bytes((number,)),
                CommMode.PLAIN if mode is CommMode.PLAIN else CommMode.MAC,
            )

        self.expect("clear", send, BOTH, number)

    @rule(number=RECORDS, latest=st.integers(0, 3), count=st.integers(0, 4))
    def read_records(self, number: int, latest: int, count: int) -> None:
        def send(mode: CommMode) -> bytes:
            asked = CommMode.PLAIN if mode is CommMode.PLAIN else CommMode.MAC
            header = bytes((number,)) + latest.to_bytes(3, "little") + count.to_bytes(3, "little")
            return self.session.send(Ins.READ_RECORDS, header, asked, answer=mode)

        self.expect("read_records", send, READS, number, latest, count)

    @rule(number=st.integers(1, 5), new=some, mode=modes)
    def change_rights(self, number: int, new: Rights, mode: CommMode) -> None:
        body = bytes((mode,)) + new.encode()

        def send(_mode: CommMode) -> None:
            self.session.send(Ins.CHANGE_FILE_SETTINGS, bytes((number,)), CommMode.FULL, body, CommMode.MAC)

        self.expect("change_rights", send, ("change",), number, new, mode)

    @rule()
    def commit_what_is_pending(self) -> None:
        if any(file.held.anything for file in self.model.files.values()):
            self.commit()

    @rule(really=st.sampled_from([True, False, False]))
    def commit_whatever(self, really: bool) -> None:
        if really:
            self.commit()

    def commit(self) -> None:
        self.expect("commit", lambda _mode: self.session.commit_unsigned(), (), 0)

    @rule(number=RECORDS, records=st.lists(st.binary(min_size=4, max_size=4), min_size=2, max_size=5))
    def fill(self, number: int, records: list[bytes]) -> None:
        for record in records:
            self.append(number, record)
            self.commit_what_is_pending()

    @rule(
        amounts=st.lists(st.integers(0, 150), min_size=2, max_size=4),
        act=st.sampled_from(["credit", "debit"]),
    )
    def move_several(self, amounts: list[int], act: str) -> None:
        for amount in amounts:
            (self.credit if act == "credit" else self.debit)(3, amount)

    @rule()
    def abort(self) -> None:
        self.expect("abort", lambda _mode: self.session.abort(), (), 0)

    @invariant()
    def settings_say_what_there_is(self) -> None:
        if not hasattr(self, "session"):
            return
        for number, file in self.model.files.items():
            found, used = management.file_settings(self.session, number)
            assert (found.mode, found.rights) == (file.settings.mode, file.settings.rights)
            kind = file.settings.kind
            assert used == (file.limit if kind is FileType.VALUE else len(file.records))


ChipAgainstDataSheet.TestCase.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
TestChipAgainstDataSheet = ChipAgainstDataSheet.TestCase
