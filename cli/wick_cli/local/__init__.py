"""The local platform behind ``wick up``: processes instead of pods, everything else the same."""
