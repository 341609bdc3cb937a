"""Suggested matches: kept until a person accepts or rejects them."""
