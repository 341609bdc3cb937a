"""The tables of what was not posted, and of what somebody must explain."""
