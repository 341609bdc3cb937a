"""Verify a ledger: the chain below, checkpoints and refunds beside it, what cards and terminals signed above. Changes nothing, needs no lease."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hebat.ledger_commands.place import Place
from hebat.vaults import city_vault
from hebat.wording import some
from keys.money import display
from ledger.intake.assess import Assessor
from ledger.intake.audit import Audited, audit
from ledger.intake.receipt import LABEL as LEDGER_LABEL
from ledger.intake.registry import Registry
from ledger.orders.refund_check import RefundCheck
from ledger.proofs.verify import Proven
from ledger.proofs.verify import verify as verify_proofs
from ledger.verify import Verified, verify

if TYPE_CHECKING:
    from hebat.folder import Folder
    from hebat.progress import Progress
    from keys.vault import Vault
    from ledger.store import Database


@dataclass(frozen=True, slots=True)
class Sound:
    """What was checked and found whole; `evidence` is None where the city's keys were not at hand."""

    chain: Verified
    proofs: Proven
    evidence: Audited | None
    refunds: int = 0

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        chain, proofs, evidence = self.chain, self.proofs, self.evidence
        told = {
            "blocks": chain.blocks, "transfers": chain.transfers, "refunds": self.refunds, "accounts": chain.accounts, "moved_sen": chain.moved,
            "head": chain.head.hex(), "balances_compared_at": chain.snapshot, "checkpoints": proofs.checkpoints,
            "leaves": proofs.leaves, "checkpoint_signatures": proofs.signatures, "checkpoints_waiting": proofs.waiting,
        }  # fmt: skip
        if evidence is not None:
            told |= {
                "batches": evidence.batches, "records": evidence.records, "macs": evidence.macs, "taps": evidence.taps,
            }  # fmt: skip
        return told

    def sentence(self) -> str:
        """For people."""
        chain, proofs, evidence = self.chain, self.proofs, self.evidence
        compared = (
            "no stored balances to compare" if chain.snapshot is None else "balances equal the stored ones"
        )
        signed = (
            "signatures verified" if proofs.signatures or not proofs.checkpoints else "signatures not checked"
        )
        above = (
            "signatures of batches and Transaction MACs not checked: name the city's folder with --data"
            if evidence is None
            else f"{evidence.batches} signed batches with {some(evidence.records, 'record')} verified, "
            f"{some(evidence.macs, 'Transaction MAC')} recomputed for {some(evidence.taps, 'tap')}"
        )
        return (
            f"whole: {some(chain.blocks, 'block')} chained to {chain.head.hex()}\n"
            f"{some(chain.transfers, 'transfer')} of {display(chain.moved)} replayed into {some(chain.accounts, 'account')}, {compared}\n"
            f"{some(proofs.checkpoints, 'checkpoint')} over {proofs.leaves} leaves computed again, {signed}\n"
            f"{above}"
        )


def verify_place(place: Place, progress: Progress) -> Sound:
    """Check a ledger wherever it is; raises DatabaseDamaged with the place, or what opening says."""
    if place.folder is not None:
        return verify_folder(place.folder, progress)
    with place.database() as database:
        return _verify(database, None, None, progress)


def verify_folder(folder: Folder, progress: Progress) -> Sound:
    """Check a city's ledger, with the keys at hand."""
    with closing(city_vault(folder)) as vault, Place(folder.database_url, folder).database() as database:
        return _verify(database, folder, vault, progress)


def _verify(database: Database, folder: Folder | None, vault: Vault | None, progress: Progress) -> Sound:
    with progress.step("Chain, rows, sums, balances", 1) as told:
        given_back = RefundCheck()
        chain = verify(database, lambda done, whole: told(done / max(whole, 1)), given_back.inspect)
        refunds = given_back.finish(database)
    key = None if vault is None else vault.public_key(LEDGER_LABEL)
    with progress.step("Checkpoints, leaves, tiles", 1) as told:
        proofs = verify_proofs(database, key, lambda done, whole: told(done / max(whole, 1)))
    if vault is None or folder is None:
        return Sound(chain, proofs, None, refunds)
    registry = Registry(database, folder.root_certificate.read_bytes())
    with progress.step("Signatures and Transaction MACs", 1) as told:
        evidence = audit(database, registry, Assessor(registry, vault))
        told(1)
    return Sound(chain, proofs, evidence, refunds)
