"""The `hebat ledger` and `hebat proof` commands: looking after a ledger, and showing others what is in it."""
