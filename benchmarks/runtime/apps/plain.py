# ruff: noqa: ARG001 - what the interface passes
"""Ours, synchronous: each request in a handler process."""


def handle(request, context):
    return "hello"
