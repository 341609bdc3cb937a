"""Who is owed what for a window: columns summed, fees rounded once, what banks owe one another, taps by service day."""
