"""What the ledger remembers of the city's vaults, so that an older copy of one is found out."""
