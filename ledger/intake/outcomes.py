"""What became of a batch's records: nearly always posted, so that only the others are held, written and spelled out one by one."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from ledger.intake.reasons import Outcome, Reason

_POSTED: Final = '{"sequence":%d,"result":"posted"}'


@dataclass(frozen=True, slots=True)
class Outcomes:
    """A batch's first sequence, how many records it has, and what is not posted of them: outcome and reason by place."""

    first: int
    count: int
    others: dict[int, tuple[Outcome, Reason | None]] = field(default_factory=dict)

    def said(self) -> list[dict[str, Any]]:
        """One result a record, as the API gives them."""
        return [self._one(place) for place in range(self.count)]

    def _one(self, place: int) -> dict[str, Any]:
        outcome, reason = self.others.get(place, (Outcome.POSTED, None))
        told = {"sequence": self.first + place, "result": outcome.value}
        return told if reason is None else told | {"reason": reason.value}

    def counted(self) -> dict[str, int]:
        """How many records had each outcome."""
        counts = Counter(outcome.value for outcome, _ in self.others.values())
        posted = self.count - len(self.others)
        return dict(counts) | ({Outcome.POSTED.value: posted} if posted else {})

    def as_json(self) -> str:
        """The same list as JSON, without spaces."""
        parts = [_POSTED % sequence for sequence in range(self.first, self.first + self.count)]
        for place in self.others:
            parts[place] = json.dumps(self._one(place), separators=(",", ":"))
        return f"[{','.join(parts)}]"

    def stored(self) -> str:
        """As they stand in the table of batches."""
        others = {str(place): [outcome, reason] for place, (outcome, reason) in sorted(self.others.items())}
        return json.dumps({"first": self.first, "count": self.count, "others": others}, separators=(",", ":"))

    @classmethod
    def read(cls, stored: str) -> Outcomes:
        """From what stands in the table; of before, that was the list itself."""
        held = json.loads(stored)
        if isinstance(held, list):
            others = {
                place: (Outcome(one["result"]), Reason(one["reason"]) if "reason" in one else None)
                for place, one in enumerate(held)
                if one["result"] != Outcome.POSTED
            }
            return cls(held[0]["sequence"], len(held), others)
        others = {
            int(place): (Outcome(outcome), None if reason is None else Reason(reason))
            for place, (outcome, reason) in held["others"].items()
        }
        return cls(held["first"], held["count"], others)
