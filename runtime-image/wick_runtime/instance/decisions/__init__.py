"""The states of an instance. Pure."""
