"""The `wick` command and the local platform behind `wick up`."""
