"""Bank days of Indonesia, and the hours of the rails: dated data, with what the city's staff put right."""
