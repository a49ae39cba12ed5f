"""The verb ``studio``: see :mod:`lowerbound.cli.verbs`."""

from __future__ import annotations

import os
import sys
from typing import Annotated

from lowerbound.options import Span


def studio(
    runs: tuple[str, ...] = (),
    /,
    *,
    port: Annotated[int, Span(min=0, max=65535)] | None = None,
    host: str = "127.0.0.1",
    browser: bool = True,
) -> None:
    """Open the studio in the browser: train, explore and edit, on this machine only.

    Nothing is sent out, and it works without a network. Ctrl-C ends it; trainings that it started
    are stopped then, and can be resumed.

    Args:
        port: to listen at; the default is 8321, or the next one that is free.
        host: to listen at; any but this machine's own wants the token in the address that is
            printed.
        browser: open the page.
    """
    from lowerbound import console
    from lowerbound.studio.serve import serve

    def started(address: str) -> None:
        console.out().print(
            f"studio at {address} (Ctrl-C ends it)", highlight=False, soft_wrap=True
        )

    serve(runs or ("runs",), host=host, port=port, browser=browser, started=started)
    # All is put away. Python would take torch apart for seconds yet, and wait for a thread that
    # computes for a page which nobody looks at any more.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
