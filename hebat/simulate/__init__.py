"""A city in a box: the real code of all packages in one process, under a simulated clock, network, disk and card field."""
