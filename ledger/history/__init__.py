"""What was: balances at any past moment, and statements of accounts."""
