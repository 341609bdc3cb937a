"""Proofs that something is in the books, for people who have no access to them: checkpoints, inclusion, consistency."""
