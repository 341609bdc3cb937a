"""A virtual MIFARE DESFire EV2/EV3: the same bytes on the wire, the same rules, and it can be torn.

Source: MF3D(H)x2 data sheet, NXP AN12343, and what real chips were seen to do (CARD.md). The chip enforces access rights, communication
modes, value limits, backup and commit semantics and counters, and ends its session at every error.
"""

from card.virtual.chip import VirtualCard

__all__ = ["VirtualCard"]
