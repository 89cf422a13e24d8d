"""Inception V3: its names, its publishers' names, and the folding of its input range."""
