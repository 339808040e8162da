"""What Kubewick's parts agree on: the Function model, names, headers, metric names and reasons.

Nothing here does I/O, reads a clock or knows a framework: standard library and msgspec only, so that
every part, the command line included, can import it for a few milliseconds.
"""
