"""What the `hebat card` commands do: looking at cards and at the time that they take."""
