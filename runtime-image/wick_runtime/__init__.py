"""Kubewick's function server: runs a person's code behind HTTP. Imports nothing else of Kubewick."""
