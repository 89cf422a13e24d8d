"""The networks whose weights are known, one folder each."""
