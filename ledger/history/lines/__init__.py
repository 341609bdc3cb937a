"""An account's lines in the journal."""
