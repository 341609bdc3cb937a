"""QR payments: EMVCo merchant-presented codes in QRIS form, consumer-presented payloads, merchant classes and their dated rates. Pure."""
