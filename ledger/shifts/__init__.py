"""What the books have of a terminal's shift, for whoever cashes up."""
