"""`wick completion`: the script a shell sources to complete commands, options and values."""

import click
from click.shell_completion import get_completion_class


@click.command(
    epilog="""\b
Examples:
  wick completion bash >> ~/.bashrc
  wick completion zsh >> ~/.zshrc
  wick completion fish > ~/.config/fish/completions/wick.fish"""
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script that completes `wick` in SHELL."""
    completion = get_completion_class(shell)
    if completion is None:
        raise TypeError(f"click completes no {shell}")
    whole = click.get_current_context().find_root().command
    click.echo(completion(whole, {}, "wick", "_WICK_COMPLETE").source())
