"""Breaks: what matching leaves over, and the people who answer for it until it is explained, posted or written off."""
