"""What people see and hear at a terminal: the board, its words in four languages, and the local page."""
