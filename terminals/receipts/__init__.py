"""Receipts on paper and as a picture: optional."""
