"""What differs between the chips that the virtual card can be."""

from __future__ import annotations

from enum import Enum

from card.apdu import Ins

_EV2_INS = frozenset(
    {
        Ins.AUTHENTICATE_EV2_FIRST, Ins.AUTHENTICATE_EV2_NON_FIRST, Ins.CREATE_TMAC_FILE, Ins.COMMIT_READER_ID,
        Ins.INITIALIZE_KEY_SET, Ins.FINALIZE_KEY_SET, Ins.ROLL_KEY_SET, Ins.CHANGE_KEY_EV2, Ins.READ_SIGNATURE,
        Ins.UPDATE_RECORD, Ins.UPDATE_RECORD_CHAINED,
        Ins.READ_DATA, Ins.WRITE_DATA, Ins.READ_RECORDS, Ins.WRITE_RECORD,
    }
)  # fmt: skip
_EV3_INS = frozenset({Ins.GET_FILE_COUNTERS})


class Generation(Enum):
    """A DESFire generation: hardware and software version as GetVersion gives them, and what it does not know yet.

    Versions as in the data sheets MF3ICD41, MF3D(H)x2 and MF3D(H)x3, each with 4 kB.
    """

    EV1 = ("04010101001805", "04010101041805", _EV2_INS | _EV3_INS)
    EV2 = ("04010112001805", "04010102011805", _EV3_INS)
    EV3 = ("04010133001805", "04010103001805", frozenset[Ins]())

    def __init__(self, hardware: str, software: str, unknown: frozenset[Ins]) -> None:
        self.version = bytes.fromhex(hardware + software)
        self.unknown = unknown

    @property
    def mirrors(self) -> bool:
        """Whether files of this chip do Secure Dynamic Messaging."""
        return self is Generation.EV3
