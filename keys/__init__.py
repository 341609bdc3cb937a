"""Key hierarchy, diversification, vaults, terminal identities, signed envelopes, money and time."""
