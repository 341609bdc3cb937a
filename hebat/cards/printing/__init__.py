"""What is printed with a card: its code and number for the card printer, and its PIN on a sheet of its own."""
