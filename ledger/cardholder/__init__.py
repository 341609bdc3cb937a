"""The cardholder's room: ways in without an account, the balance page in four languages, and what a holder may do."""
