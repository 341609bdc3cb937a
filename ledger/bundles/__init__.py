"""What the city tells its terminals, as the ledger keeps and serves it; and which cards are blocked."""
