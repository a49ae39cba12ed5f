"""The command line: ``lowerbound train digits``, ``lowerbound evaluate RUN``, …

One idea: a command is a Python function, and its flags are the keyword-only parameters of a few
functions joined (:mod:`.flags`): its own, those of training, of the data, of the recipe that was
named, and of what was chosen for the recipe's slots. Nothing here lists an option twice.

No module of this package imports torch or numpy at import; the verbs import what they need when
they run, so that ``lowerbound --help`` answers at once.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence

from lowerbound.errors import LowerboundError

__all__ = ["main"]

USER_ERROR = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments after the program's name; None takes them from ``sys.argv``.

    Returns:
        The exit code: 0, or 2 after one line ``error: …`` on stderr for anything the user can mend
        (input, flags, a full disk), or 130 after an interrupt. A bug keeps its traceback.
    """
    from lowerbound.cli.parser import parse
    from lowerbound.cli.verbs import INTERRUPTED

    try:
        return parse(sys.argv[1:] if argv is None else list(argv))() or 0
    except LowerboundError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # `lowerbound recipes | head`: nobody reads on, which is no error. What is still buffered
        # goes nowhere, or Python would complain once more while it shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        where = f" at {error.filename}" if error.filename else ""
        return _fail(f"no space left on the disk{where}; free some, then go on with what was saved")


def _fail(message: str) -> int:
    from lowerbound import console

    console.error(message)
    return USER_ERROR
