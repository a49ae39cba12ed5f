"""The studio: a web page, on this machine, over the same functions as the command line.

>>> lb.serve("runs")  # doctest: +SKIP

- :mod:`.serve` starts it; :mod:`.app` is the Starlette application;
- :mod:`.guard` lets in nobody but who sits at this machine, or has the token;
- :mod:`.folder` knows the runs, :mod:`.opened` keeps their models at hand;
- :mod:`.asked` reads what comes and refuses what does not fit; :mod:`.shown` makes data visible;
- :mod:`.views`: what each view of the page asks for.

The page itself is written in ``studio/`` beside ``src/`` and built into ``static/``.
"""
