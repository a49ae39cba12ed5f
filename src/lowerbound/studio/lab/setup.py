"""What is trained on what in the lab: the choices, their limits, and recipes made of them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np

from ...data.planar import TOYS, Planar
from ...errors import LowerboundError
from ..asked import Asked
from . import drawn

Model = Literal["vae", "iwae", "ae", "flow", "gan", "aae", "gmm"]
#: Points held out, on which log p(x) is measured.
HELD_OUT = 1000
WARM_UP = 300  # steps in which β rises, for a VAE whose σ is learned


@dataclass(frozen=True)
class Setup:
    """What takes a new model to change.

    Attributes:
        density: a name of `lowerbound.data.planar.TOYS`, or ``drawn``.
        points: that train.
        model: see :data:`KINDS`.
        latent: numbers in a code.
        sigma: of the likelihood; 0 where it is learned.
        width, layers: of the networks' hidden layers.
        components: of the mixture, or couplings of the flow.
        samples: K of IWAE.
        loss: of the GAN.
        batch: examples in a step.
        seed: of weights, order and noise.
        strokes: of a drawn density.
        brush: its noise.
    """

    density: str = "ring"
    points: int = 2000
    model: str = "vae"
    latent: int = 2
    sigma: float = 0.0
    width: int = 64
    layers: int = 2
    components: int = 10
    samples: int = 10
    loss: str = "non-saturating"
    batch: int = 128
    seed: int = 0
    strokes: tuple[drawn.Stroke, ...] = ()
    brush: float = 0.1

    @property
    def hidden(self) -> tuple[int, ...]:
        """Widths of hidden layers."""
        return (self.width,) * self.layers

    def planar(self) -> Planar:
        """The density itself."""
        if self.density == "drawn":
            return drawn.density(self.strokes, self.brush)
        return TOYS[self.density]()

    def arrays(self) -> dict[str, np.ndarray]:
        """Points that train and held-out ones, as `lowerbound.load` takes them."""
        density = self.planar()
        return {
            "train": density.sample(self.points, seed=self.seed),
            "test": density.sample(HELD_OUT, seed=self.seed + 1),
        }


@dataclass
class Live:
    """What can be changed while it trains.

    Attributes:
        learning_rate: of all phases.
        beta: weight of a VAE's rate.
        rate: learning rate of discriminator or critic, as a multiple.
        repeats: updates of the GAN's discriminator for each of its generator.
        stride: steps between two pictures.
        slow: seconds between two pictures, at least.
    """

    learning_rate: float = 3e-3
    beta: float = 1.0
    rate: float = 1.0
    repeats: int = 1
    stride: int = 10
    slow: float = 0.0


@dataclass(frozen=True)
class Kind:
    """A model of the lab.

    Attributes:
        recipe: of `lowerbound.RECIPES`.
        controls: names of choices of `Setup` and `Live` that it has.
        defaults: those that differ.
        training: options of training that differ.
    """

    recipe: str
    controls: tuple[str, ...]
    defaults: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)


_NET = ("width", "layers", "learning_rate", "batch")
KINDS: dict[str, Kind] = {
    "vae": Kind(
        "beta-vae", ("latent", "sigma", "beta", *_NET), {"learning_rate": 5e-3, "batch": 128}
    ),
    "flow": Kind(
        "realnvp", ("components", *_NET), {"components": 6, "learning_rate": 3e-3, "batch": 256}
    ),
    "gan": Kind(
        "gan",
        ("latent", "loss", "rate", "repeats", *_NET),
        {"learning_rate": 1e-3, "batch": 128},
        {"ema": 0.0},
    ),
    "aae": Kind(
        "adversarial-autoencoder",
        ("latent", "sigma", "rate", *_NET),
        {"learning_rate": 1e-3, "batch": 128, "rate": 4.0},
    ),
    "gmm": Kind("gaussian-mixture", ("components",), {"components": 12, "stride": 1, "slow": 0.25}),
    "iwae": Kind(
        "iwae", ("latent", "sigma", "samples", *_NET), {"learning_rate": 5e-3, "batch": 128}
    ),
    "ae": Kind("autoencoder", ("latent", *_NET), {"latent": 1, "learning_rate": 3e-3}),
}
LOSSES = ("non-saturating", "wasserstein", "hinge", "least-squares")

#: Least and greatest of each number.
LIMITS: dict[str, tuple[float, float]] = {
    "points": (20, 8000),
    "latent": (1, 8),
    "sigma": (0.0, 2.0),
    "width": (2, 256),
    "layers": (1, 4),
    "components": (1, 64),
    "samples": (1, 100),
    "batch": (8, 1024),
    "seed": (0, 2**31 - 2),
    "brush": (0.02, 0.5),
    "learning_rate": (1e-6, 1.0),
    "beta": (0.0, 100.0),
    "rate": (0.0, 100.0),
    "repeats": (1, 20),
    "stride": (1, 500),
    "slow": (0.0, 2.0),
}
_WHOLE = {"points", "latent", "width", "layers", "components", "samples", "batch", "seed"}
_WHOLE |= {"repeats", "stride"}


def read(asked: Asked) -> tuple[Setup, Live]:
    """A new setup; what was not said is as the model likes it.

    Raises:
        LowerboundError: a name that there is not, a number out of range, too little drawn.
    """
    model = asked.text("model", "vae", among=tuple(KINDS))
    given: dict[str, Any] = {**KINDS[model].defaults, **numbers(asked), "model": model}
    given["density"] = asked.text("density", "ring", among=(*TOYS, "drawn"))
    given["loss"] = asked.text("loss", "non-saturating", among=LOSSES)
    if given["density"] == "drawn":
        given["strokes"] = drawn.read(asked)
    parts = [{f.name: given[f.name] for f in fields(k) if f.name in given} for k in (Setup, Live)]
    return Setup(**parts[0]), Live(**parts[1])


def numbers(asked: Asked) -> dict[str, Any]:
    """Those of the numbers that came."""
    found = {}
    for name, (low, high) in LIMITS.items():
        read_one = asked.whole if name in _WHOLE else asked.number
        value = read_one(name, None, low=low, high=high)  # ty: ignore[invalid-argument-type]
        if value is not None:
            found[name] = value
    return found


def change(live: Live, asked: Asked) -> None:
    """Set what came of the choices that can be changed while it trains."""
    known = {f.name for f in fields(Live)}
    for name, value in numbers(asked).items():
        if name not in known:
            raise LowerboundError(f"expected a choice that needs no new model, came {name}")
        setattr(live, name, value)


def recipe_options(setup: Setup, live: Live, step: int | None = None) -> dict[str, Any]:
    """Options of the recipe.

    Args:
        setup: see above.
        live: see above.
        step: of the run that is to be told as code; None for the lab, which schedules β itself.
    """
    sigma: dict[str, Any] = {"name": "gaussian"}
    if setup.sigma:
        sigma |= {"sigma": "fixed", "value": setup.sigma}
    net = {"hidden": setup.hidden}
    codes = {"latent_dim": setup.latent, **net, "activation": "silu"}
    match setup.model:
        case "vae":
            found = {**codes, "beta": live.beta, "likelihood": sigma}
            if step is not None and not setup.sigma:
                found |= {"beta_schedule": "warmup", "rise": WARM_UP / step}
            return found
        case "iwae":
            return {**codes, "samples": setup.samples, "likelihood": sigma}
        case "ae":
            return codes
        case "flow":
            return {"transforms": setup.components, **net}
        case "gan":
            return {
                "latent_dim": setup.latent,
                **net,
                "loss": setup.loss,
                "discriminator_rate": live.rate,
                "discriminator_steps": live.repeats,
                "generator_rate": 2.0,
            }
        case "aae":
            critic = {"critic_hidden": setup.hidden, "critic_rate": live.rate}
            # Of nonlinearities tried this one alone found the ring at every rate.
            return {**codes, **critic, "activation": "tanh", "likelihood": sigma}
    return {
        "components": setup.components,
        "start": "random",
        "restarts": 1,
        "tolerance": 1e-6,
        "iterations": 1000,
    }


def training_options(setup: Setup, live: Live, steps: int) -> dict[str, Any]:
    """Options of training, of so many steps."""
    if setup.model == "gmm":
        return {"seed": setup.seed}
    return {
        "steps": steps,
        "batch_size": setup.batch,
        "learning_rate": live.learning_rate,
        "schedule": "constant",
        **KINDS[setup.model].training,
        "precision": "float32",
        "compile": "no",
        "threads": 1,
        "seed": setup.seed,
    }


#: Options of `lowerbound.load`: values as they are, so that pictures are in the data's units.
DATA_OPTIONS: dict[str, Any] = {"standardize": False}


def code(setup: Setup, live: Live, step: int) -> str:
    """Python that trains the same model for as many steps.

    It gives the lab's model to the bit, if nothing was changed while it trained.
    """
    steps = max(step, 1000)
    options = {
        **recipe_options(setup, live, steps),
        **training_options(setup, live, steps),
        **DATA_OPTIONS,
    }
    if setup.density == "drawn":
        begin = "import numpy as np"
        data = [
            'x = np.load("drawn.npy")  # Download: the points drawn by hand',
            f'data = {{"train": x[:-{HELD_OUT}], "test": x[-{HELD_OUT}:]}}',
        ]
    else:
        begin = "from lowerbound.data.planar import TOYS"
        data = [
            f'density = TOYS["{setup.density}"]()',
            f'data = {{"train": density.sample({setup.points}, seed={setup.seed}), '
            f'"test": density.sample({HELD_OUT}, seed={setup.seed + 1})}}',
        ]
    told = "".join(f"    {name}={value!r},\n" for name, value in options.items())
    train = f"run = lb.train(\n    data, {KINDS[setup.model].recipe!r},\n{told})"
    begin = sorted([begin, "import lowerbound as lb"], key=lambda line: line.split()[1])
    return "\n".join([*begin, *data, train.replace("'", '"')])
