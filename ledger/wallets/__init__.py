"""Wallets of cardholders: limits, freezing and closing, transfers between them, payments by QR, government payments in bulk."""
