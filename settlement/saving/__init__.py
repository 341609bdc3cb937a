"""Saving: a holder's account at a partner bank, linked with consent; asked after, topped up from, swept to. What the bank holds is mirrored, never invented."""
