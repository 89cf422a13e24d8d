"""From a config file and a tool's options to the config that runs."""
