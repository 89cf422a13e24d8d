"""Models that answer: from a file or a name to predictions, without a config."""
