"""Loads from wallet to card: ordered, held in the wallet, written by the card's next tap; and those that order themselves below a threshold."""
