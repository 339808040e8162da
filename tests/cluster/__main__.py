"""`python -m cluster COMMAND`, with `tests/` on the path; the Makefile's door to the test cluster."""

import argparse

from cluster import tools


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("tools", help="build the programs a cluster is made of")
    build.add_argument("names", nargs="*", choices=[[], *tools.PROGRAMS], metavar="PROGRAM")
    chosen = parser.parse_args()
    if chosen.command == "tools":
        tools.ensure(*(chosen.names or tools.PROGRAMS))


if __name__ == "__main__":
    main()
