"""`hebat settle`, `hebat night` and `hebat windows`: what runs the night, and what shows it."""
