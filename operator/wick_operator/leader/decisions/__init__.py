"""The Lease's moves and the work queue's times. Pure."""
