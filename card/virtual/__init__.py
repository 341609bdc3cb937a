"""A virtual MIFARE DESFire EV1, EV2 or EV3: the same bytes on the wire, the same rules, and it can be torn.

Source: MF3ICD41, MF3D(H)x2 and MF3D(H)x3 data sheets, NXP AN12343, AN12196 and AN0945, and what real chips were seen to do (docs/decisions/0015-virtual-card.md).
The chip enforces access rights, communication modes, value limits, backup and commit semantics and counters, and ends its session
at every error. What it does not do: LRP, proximity check, delegated applications, files shared between applications.
"""

from card.virtual.chip import VirtualCard
from card.virtual.generation import Generation

__all__ = ["Generation", "VirtualCard"]
