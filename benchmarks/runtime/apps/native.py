# ruff: noqa: ARG001 - what the interface passes
"""Ours, asynchronous."""


async def handle(request, context):
    return "hello"
