"""What runs on a terminal: tap flows, fares, outbox, upload. Speaks to the ledger over HTTP only."""
