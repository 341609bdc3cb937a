"""What a terminal does with a card and with a finger on its screen: one class a role."""
