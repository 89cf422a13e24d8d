"""Timing a model against other publishers' networks."""
