"""The operator with nothing beside it: no autoscaler, no warm pools. To tell what each costs; not a way to run it."""

import sys

from wick_operator.__main__ import main
from wick_operator.app import Operator


class Alone(Operator):
    """It has no companions."""

    @property
    def companions(self):
        return []

    @companions.setter
    def companions(self, _):
        """The real one's are dropped."""


if __name__ == "__main__":
    sys.modules["wick_operator.app"].Operator = Alone
    sys.exit(main())
