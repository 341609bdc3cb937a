"""What other processes changed: a count that moves with every change of terminals and of blocked cards, so that memory of them is never old."""
