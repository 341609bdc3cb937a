"""Verify a data folder: the chain below, what cards and terminals signed above. Changes nothing, needs no lease."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hebat.vaults import city_vault
from keys.money import display
from ledger.intake.assess import Assessor
from ledger.intake.audit import Audited, audit
from ledger.intake.registry import Registry
from ledger.store import Database
from ledger.verify import Verified, verify

if TYPE_CHECKING:
    from hebat.folder import Folder
    from hebat.progress import Progress


@dataclass(frozen=True, slots=True)
class Sound:
    """What was checked and found whole."""

    chain: Verified
    evidence: Audited

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        chain, evidence = self.chain, self.evidence
        return {
            "blocks": chain.blocks, "transfers": chain.transfers, "accounts": chain.accounts, "moved_sen": chain.moved,
            "head": chain.head.hex(), "balances_compared_at": chain.snapshot, "batches": evidence.batches,
            "records": evidence.records, "macs": evidence.macs, "taps": evidence.taps,
        }  # fmt: skip

    def sentence(self) -> str:
        """For people."""
        chain, evidence = self.chain, self.evidence
        compared = (
            "no stored balances to compare" if chain.snapshot is None else "balances equal the stored ones"
        )
        return (
            f"whole: {chain.blocks} blocks chained to {chain.head.hex()}\n"
            f"{chain.transfers} transfers of {display(chain.moved)} replayed into {chain.accounts} accounts, {compared}\n"
            f"{evidence.batches} signed batches with {evidence.records} records verified, "
            f"{evidence.macs} Transaction MACs recomputed for {evidence.taps} taps"
        )


def verify_folder(folder: Folder, progress: Progress) -> Sound:
    """Check everything; raises DatabaseDamaged with the place, or what opening says."""
    vault = city_vault(folder)
    database = Database(folder.database_url)
    try:
        with progress.step("Chain, rows, sums, balances", 1) as told:
            chain = verify(database, lambda done, whole: told(done / max(whole, 1)))
        registry = Registry(database, folder.root_certificate.read_bytes())
        with progress.step("Signatures and Transaction MACs", 1) as told:
            evidence = audit(database, registry, Assessor(registry, vault))
            told(1)
    finally:
        database.close()
    return Sound(chain, evidence)
