"""``python -m lowerbound``: the command line."""

import sys

from lowerbound.cli import main

if __name__ == "__main__":
    sys.exit(main())
