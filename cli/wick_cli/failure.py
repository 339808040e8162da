"""How a command fails: one line on stderr, and an exit code a script can use.

| code | class | meaning |
|---|---|---|
| 1 | `Failed` | the platform tried and could not; the function answered 4xx or 5xx |
| 2 | click's own | wrong usage |
| 3 | `InvalidFile` | a file must be changed; the message names file and line |
| 4 | `NotFound` | no such function |
| 5 | `Unreachable` | no cluster, no running ``wick up``, no permission |
| 6 | `TooLate` | the deadline passed |
"""

import click


class Failed(click.ClickException):
    exit_code = 1


class InvalidFile(Failed):
    exit_code = 3


class NotFound(Failed):
    exit_code = 4


class Unreachable(Failed):
    exit_code = 5


class TooLate(Failed):
    exit_code = 6
