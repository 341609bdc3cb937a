"""What the books say: balances, trial balance, the chain."""
