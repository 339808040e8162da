"""The admin port: health, metrics and the queue's state, of one process or of all processes of a router."""
