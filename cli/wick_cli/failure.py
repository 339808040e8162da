"""How a command fails: one line on stderr, and an exit code a script can use.

| code | class | meaning |
|---|---|---|
| 1 | `CommandFailed` | the platform tried and could not; the function answered 4xx or 5xx |
| 2 | click's own | wrong usage |
| 3 | `InvalidFile` | a file must be changed; the message names file and line |
| 4 | `FunctionNotFound` | no such function |
| 5 | `PlatformUnreachable` | no cluster, no running ``wick up``, no permission |
| 6 | `TooLate` | the deadline passed |
"""

import click


class CommandFailed(click.ClickException):
    exit_code = 1


class InvalidFile(CommandFailed):
    exit_code = 3


class FunctionNotFound(CommandFailed):
    exit_code = 4


class PlatformUnreachable(CommandFailed):
    exit_code = 5


class TooLate(CommandFailed):
    exit_code = 6
