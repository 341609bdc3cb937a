"""Orders of partners: debits and credits of wallets, holds; each once, whatever is sent again."""
