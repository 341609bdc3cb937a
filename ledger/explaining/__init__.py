"""What a database's driver says went wrong, as the ledger's own errors."""
