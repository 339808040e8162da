"""The autoscaler: reads demand from Prometheus metrics, decides in a pure function, writes ``/scale``.

This package imports neither kopf nor a Kubernetes client, because the local platform runs the same decisions.
"""
