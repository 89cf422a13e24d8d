"""What tools and Python users call."""
