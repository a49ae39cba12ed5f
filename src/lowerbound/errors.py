"""What goes wrong because of what came in, said in one line."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class LowerboundError(Exception):
    """Input that cannot be used.

    The message is one line that says what was expected, what came, and what to pass instead.
    The command line prints it without a traceback and exits with code 2.
    """


def nearest(given: str, names: Iterable[str]) -> str:
    """The end of an error message that offers the nearest known name.

    Args:
        given: the name that is not known.
        names: the names that are.

    Returns:
        ``"; did you mean 'vae'?"``, or ``""`` where nothing is near.

    >>> nearest("vea", ["vae", "pca"])
    "; did you mean 'vae'?"
    """
    folded = {name.lower().replace("_", "-"): name for name in names}
    close = get_close_matches(given.lower().replace("_", "-"), folded, n=1, cutoff=0.6)
    return f"; did you mean '{folded[close[0]]}'?" if close else ""
