"""Whether the ledger lives, can work, and how much it does: health, readiness, metrics."""
