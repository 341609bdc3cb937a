"""What this software is made of, and what is known against it: a bill of materials, and an audit that needs no network."""
