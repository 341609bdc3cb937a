"""A partner bank to test against: speaks SNAP strictly, holds accounts, fails on purpose. It shares nothing with our client but the standard's codecs."""
