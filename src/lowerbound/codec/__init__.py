"""A trained model as a codec: data to codes to bits at the rate of the model's prior, and back.

>>> import lowerbound as lb
>>> codes = lb.encode("runs/digits-vq-vae", "digits")  # doctest: +SKIP
>>> codes.rate, codes.write("codes.npz")  # doctest: +SKIP
>>> images = lb.decode("runs/digits-vq-vae", "codes.npz")  # doctest: +SKIP
"""

from lowerbound.codec.coding import Codes, decode, encode
from lowerbound.codec.file import fingerprint

__all__ = ["Codes", "decode", "encode", "fingerprint"]
