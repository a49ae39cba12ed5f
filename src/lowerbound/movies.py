"""Movies: .mp4 is written and read by PyAV, which is an extra."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import LowerboundError

Array = NDArray[np.uint8]

#: What is read; written is the first of them.
SUFFIXES = (".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi")
_QUALITY = "14"  # of H.264, where 0 is lossless and 23 the usual


def mp4(frames: Array, seconds: float) -> bytes:
    """Frames as a movie that every browser plays (H.264, half the colours' resolution).

    Args:
        frames: ``(F, H, W, 3)``; a side of an odd number of pixels ends with its last one twice.
        seconds: that a frame is shown.

    Raises:
        LowerboundError: PyAV is not installed.
    """
    av = _av()
    height, width = frames.shape[1:3]
    frames = np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        rate = Fraction(1 / seconds).limit_denominator(1000)
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt, stream.options = "yuv420p", {"crf": _QUALITY}
        for frame in frames:
            shown = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            container.mux(stream.encode(shown))
        container.mux(stream.encode())
    return out.getvalue()


def frames_of(content: bytes) -> list[Array] | str:
    """The frames of a movie, uint8 ``(H, W, 3)`` each, or the reason why it does not open.

    Raises:
        LowerboundError: PyAV is not installed.
    """
    av = _av()
    try:
        with av.open(io.BytesIO(content)) as container:
            if not container.streams.video:
                return "no pictures in it"
            return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    except (av.error.FFmpegError, OSError, ValueError) as error:
        return str(error).splitlines()[0][:120]


def installed() -> bool:
    """Whether movies can be written and read."""
    from importlib.util import find_spec

    return find_spec("av") is not None


def _av() -> Any:
    try:
        import av
    except ImportError:
        raise LowerboundError(
            "movies (.mp4) want PyAV: pip install 'lowerbound[video]', or pass a .gif"
        ) from None
    return av
