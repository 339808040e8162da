"""``python -m wick_operator``: configuration from the environment, see `wick_operator.config`."""

import logging
import os
import sys

import uvloop

from wick_api import logs
from wick_api.settings import SettingInvalid
from wick_operator.app import serve
from wick_operator.config import OperatorConfig
from wick_operator.leader.leadership import LeadershipLost

log = logging.getLogger("wick_operator")


def main() -> int:
    """Run the operator; the exit code is 0 after SIGTERM, 1 when it can't go on, 2 for a bad configuration."""
    try:
        config = OperatorConfig.from_environment(os.environ)
    except SettingInvalid as error:
        sys.stderr.write(f"{error}\n")
        return 2
    logs.configure(config.log_level)
    code = 0
    try:
        uvloop.run(serve(config))
    except* LeadershipLost as lost:
        log.error("%s", lost.exceptions[0])  # noqa: TRY400 - the message says it all
        code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
