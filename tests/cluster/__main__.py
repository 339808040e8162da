"""`python -m cluster COMMAND`, with `tests/` on the path; the Makefile's door to the test cluster."""

import argparse
import sys
from collections.abc import Sequence

from cluster import bill, debian, images, testbed, tools


def parse(line: Sequence[str]) -> argparse.Namespace:
    """The command line; what follows `e2e` is pytest's."""
    parser = argparse.ArgumentParser(prog="python -m cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("tools", help="install and build the programs a cluster is made of")
    build.add_argument("names", nargs="*", choices=[[], *tools.PROGRAMS], metavar="PROGRAM")
    building = commands.add_parser("images", help="build the project's images; an unchanged tree builds nothing")
    building.add_argument("--push", default="", metavar="REGISTRY", help="push them, for the chart's image.registry")
    building.add_argument("--tag", default="", help="the tag to push; the chart's appVersion")
    commands.add_parser("sbom", help="write each image's bill of materials to dist/sbom")
    commands.add_parser("up", help="bring up a cluster with Kubewick on it, or renew what runs")
    commands.add_parser("down", help="stop and remove it")
    commands.add_parser("e2e", help="run the end-to-end tests on a cluster; what follows is for pytest")
    chosen, chosen.arguments = parser.parse_known_args(line)
    if chosen.arguments and chosen.command != "e2e":
        parser.error(f"unrecognized arguments: {' '.join(chosen.arguments)}")
    return chosen


def main() -> int:
    chosen = parse(sys.argv[1:])
    try:
        return _run(chosen)
    except tools.Missing as missing:
        tools.say(f"this machine lacks {missing}")
        return 1


def _run(chosen: argparse.Namespace) -> int:
    if chosen.command == "tools":
        debian.ensure(debian.CONTROL_PLANE)
        try:
            debian.ensure(debian.METRICS)
        except tools.Missing as missing:
            tools.say(f"tests against a real Prometheus will be skipped: this machine lacks {missing}")
        names = chosen.names or tools.PROGRAMS
        if "runc" in names:
            debian.ensure(debian.BUILD)
        tools.ensure(*names)
    elif chosen.command == "images":
        debian.ensure(debian.NODE)
        built = images.build()
        pushed = images.push(built, chosen.push, chosen.tag or images.version()) if chosen.push else []
        print("\n".join(pushed or [each.reference for each in built.values()]))
    elif chosen.command == "sbom":
        debian.ensure(debian.NODE)
        bill.write()
    elif chosen.command == "up":
        testbed.up()
    elif chosen.command == "down":
        testbed.down()
    elif chosen.command == "e2e":
        return testbed.e2e(chosen.arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
