"""A city smart card: APDU, secure messaging, the card application, the virtual card, card evidence."""
