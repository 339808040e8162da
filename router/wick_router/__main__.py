"""See `wick_router.main`."""

from wick_router.main import main

main()
