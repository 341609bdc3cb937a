"""Snapshots: all that the engine knows as of a block, kept beside the journal so that a start need not replay it all."""
