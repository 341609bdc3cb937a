"""What staff decide and keep: dated, versioned, each with a reason and a name; nothing of it is ever changed in place."""
