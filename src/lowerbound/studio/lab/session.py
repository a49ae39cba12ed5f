"""One model that trains while one page looks: a thread that is one picture ahead of the page.

It makes the next picture when the last one has been fetched. So it never runs further than the page
shows, stops when nobody asks, and closes when nobody has asked for long.
"""

from __future__ import annotations

import secrets
import threading
import time
from contextlib import AbstractContextManager
from typing import Any

import torch

from ...errors import LowerboundError
from .frames import Looks
from .setup import Live, Setup, code
from .trainer import make

FORGOTTEN = 60.0  # seconds without a question after which it closes
AWAY = 5.0  # … after which it makes room for another
WAIT = 1.0  # seconds that a question waits for the next picture
_FASTEST = 1.0 / 30.0  # seconds between two pictures
_AVERAGED = 1.0  # seconds over which speed is measured


class Session:
    """A model, its thread, and the last picture.

    Args:
        setup: what is trained on what.
        live: what may change meanwhile.
        lock: held while a model of the studio computes.

    Attributes:
        id: by which the page knows it.
        about: what is told of it once.
        asked: when it was last asked (`time.monotonic`).

    Raises:
        LowerboundError: choices that do not fit each other.
    """

    def __init__(self, setup: Setup, live: Live, lock: AbstractContextManager[Any]) -> None:
        self.id = secrets.token_urlsafe(9)
        self.setup, self.live = setup, live
        self.asked = time.monotonic()
        self._trainer = make(setup, live, lock)
        self._looks = Looks(self._trainer)
        self.about = {"id": self.id, **self._looks.about()}
        self._news = threading.Condition()
        self._frame: dict[str, Any] = {}
        self._number = self._taken = 0
        self._wanted: int | None = 0  # steps asked for by hand; 0 is a picture without one
        self.running, self.closed = False, False
        self._error: str | None = None
        self._speed = 0.0
        self._measured: list[tuple[float, int]] = []
        self._thread = threading.Thread(target=self._work, name=f"lab {self.id}", daemon=True)
        self._thread.start()

    @property
    def step(self) -> int:
        """Steps done."""
        return self._trainer.step

    def play(self, running: bool) -> None:
        """Run, or hold."""
        with self._news:
            self.running = running
            if not running:
                self._wanted = self._wanted or 0  # with its surfaces as of now
            self._measured.clear()
            self._news.notify_all()

    def advance(self, steps: int) -> None:
        """So many steps, then hold."""
        with self._news:
            self.running, self._wanted = False, steps
            self._news.notify_all()

    def frame(self, after: int, wait: float = WAIT) -> dict[str, Any]:
        """The picture that follows one.

        Args:
            after: the number of the last one that came; 0 for none.
            wait: seconds to wait for it.

        Returns:
            The picture, or where there is none yet only how things stand.
        """
        self.asked = time.monotonic()
        with self._news:
            self._news.wait_for(lambda: self._number > after or self.closed or self._error, wait)
            self.asked = time.monotonic()
            new = self._frame if self._number > after else {}
            self._taken = self._number  # the next one is made while the page draws this one
            self._news.notify_all()
            return {
                "number": self._number,
                "running": self.running,
                "closed": self.closed,
                "error": self._error,
                "done": self._trainer.done,
                "step": self._frame.get("step", 0),
                "speed": self._speed,
                **new,
            }

    def samples(self, count: int) -> Any:
        """Of the model as it stands, ``(count, 2)``."""
        return self._looks.draw(count)

    def points(self) -> Any:
        """Those that train, then those held out, ``(N, 2)``, as they were drawn."""
        import numpy as np

        return np.concatenate(list(self.setup.arrays().values()))

    def code(self) -> str:
        """Python that does the same."""
        return code(self.setup, self.live, self._trainer.step)

    def close(self) -> None:
        """End the thread; may be called twice."""
        with self._news:
            self.closed = True
            self._news.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(10)

    # The thread

    def _work(self) -> None:
        _one_thread()
        try:
            while (steps := self._next()) is not None:
                begin = time.perf_counter()
                self._picture(steps)
                pause = max(_FASTEST, self.live.slow) - (time.perf_counter() - begin)
                if self.running and pause > 0:
                    with self._news:
                        self._news.wait_for(lambda: self.closed or not self.running, pause)
        except LowerboundError as error:
            self._fail(str(error))
        except Exception as error:  # a page that waits must hear of it
            self._fail(f"{type(error).__name__}: {error}")
            raise
        finally:
            self._trainer.close()

    def _next(self) -> int | None:
        """Steps before the next picture, once it is wanted; None when it is time to go."""
        with self._news:
            while not self.closed:
                if time.monotonic() - self.asked > FORGOTTEN:
                    self.closed = True
                elif self._wanted is not None:
                    steps, self._wanted = self._wanted, None
                    return steps
                elif self.running and self._trainer.done:
                    self.running = False
                elif self.running and self._taken >= self._number:
                    return self.live.stride
                else:
                    self._news.wait(WAIT)
            self._news.notify_all()
            return None

    def _picture(self, steps: int) -> None:
        by_hand = not self.running
        self._trainer.advance(steps, lambda: self.closed or not (by_hand or self.running))
        terms = self._trainer.told()
        frame = self._looks.frame(whole=not self.running or self._trainer.done)
        self._timed()
        with self._news:
            self._number += 1
            step, speed = self._trainer.step, self._speed
            self._frame = {"step": step, "speed": speed, "terms": terms, **frame}
            self._news.notify_all()

    def _timed(self) -> None:
        """Steps a second, of late."""
        now = time.perf_counter()
        self._measured.append((now, self._trainer.step))
        while self._measured[0][0] < now - _AVERAGED and len(self._measured) > 2:
            self._measured.pop(0)
        (first, begin), (last, end) = self._measured[0], self._measured[-1]
        self._speed = (end - begin) / (last - first) if last > first else 0.0

    def _fail(self, why: str) -> None:
        with self._news:
            self._error, self.running, self.closed = why, False, True
            self._news.notify_all()


def _one_thread() -> None:
    """Let this thread compute on one core: small tensors are slower on several.

    Torch keeps the number for each thread, but new ones begin with what was last set, by whomever.
    So what there was is set again, in a thread that ends at once.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    after = threading.Thread(target=torch.set_num_threads, args=(before,))
    after.start()
    after.join()
