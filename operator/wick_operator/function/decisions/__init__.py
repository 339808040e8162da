"""Desired state, drift, history and status of a Function. Pure."""
