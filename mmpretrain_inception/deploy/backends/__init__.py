"""The runtimes that a network is exported to."""
