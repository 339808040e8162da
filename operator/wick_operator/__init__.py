"""Kubewick's operator: desired state, status, scaling and the warm pool, from one leader."""
