"""The lab: densities of the plane, and models that learn them while one looks.

- :mod:`.setup`: what is trained on what, and the five lines of Python that do the same;
- :mod:`.drawn`: a density drawn by hand;
- :mod:`.trainer`: the library's own training steps, a few at a time, without a run's folder;
- :mod:`.frames`, :mod:`.space` and :mod:`.surfaces`: what is drawn of a model as it stands;
- :mod:`.session`: one thread for each page that looks, :mod:`.sessions` keeps them.
"""
