"""Kubewick's data plane: holds requests for functions at zero, starts them, and proxies at native speed."""
