# ruff: noqa: ARG001 - what the interface passes
"""A functions-framework function."""

import functions_framework


@functions_framework.http
def hello(request):
    return "hello"
