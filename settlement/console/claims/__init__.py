"""Claims against banks and parties, and what cardholders report, as the console lists them."""
