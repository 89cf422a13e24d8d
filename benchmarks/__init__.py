"""Benchmarks: scripts that print a table each, and ``speed``, which ``tools/benchmark.py`` runs."""
