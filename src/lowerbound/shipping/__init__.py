"""A run for those who have none of this library: a page, ONNX files, torch programs, arrays.

>>> import lowerbound as lb
>>> lb.export("runs/faces", "faces.html")  # doctest: +SKIP

- :mod:`.graphs`: decoder and encoder from tensors to tensors, in the units of the data;
- :mod:`.onnx_files` traces, writes and checks them; :mod:`.smaller` stores weights in fewer bits;
- :mod:`.page` is the page that opens from a disk; its script is built in ``studio/src/page``.
"""

from .export import FORMATS, Exported, export

__all__ = ["FORMATS", "Exported", "export"]
