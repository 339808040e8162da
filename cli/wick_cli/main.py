"""Entry point of the `wick` command."""


def main() -> None:
    """Run the command line."""
