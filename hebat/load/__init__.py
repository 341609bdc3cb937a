"""How much a running server bears: a rehearsal city's terminals send real signed batches at a rate of their own, whatever the server does."""
