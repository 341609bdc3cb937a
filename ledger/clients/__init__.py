"""Partners and staff: who they are, what they may do, and how a call proves it."""
