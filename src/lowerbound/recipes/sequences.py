"""Recipes of models of sequences: temporal differences, and their step-by-step baselines."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from ..errors import LowerboundError
from ..options import Slot, Span, takes, trains
from ..slots import Activation, SlotValue
from ..training.schedules import WeightSchedule
from .parts import Built, likelihood_of, networks_of

if TYPE_CHECKING:
    from ..data.spec import DataSpec

Memory = Literal["gru", "lstm", "transformer"]
_LOG_SCALE = -1.0  # of states, before anything was learnt


def _shared(
    *,
    latent_dim: Annotated[int | None, Span(min=1, unit="dimensions")] = None,
    layers: Annotated[int, Span(min=1, unit="layers")] = 1,
    belief: Memory = "lstm",
    belief_width: Annotated[int | None, Span(min=1, unit="numbers")] = None,
    belief_layers: Annotated[int | None, Span(min=1, unit="layers")] = None,
    belief_span: Annotated[int | None, Span(min=1, unit="steps")] = None,
    belief_residual: bool | None = None,
    hidden: Annotated[tuple[int, ...] | None, Span(min=1, unit="units")] = None,
    likelihood: Annotated[SlotValue, Slot("likelihood")] = "auto",
    network: Annotated[SlotValue, Slot("network")] = "auto",
    activation: Activation | None = None,
    beta: Annotated[float, Span(min=0)] = 1.0,
    beta_schedule: WeightSchedule = "warmup",
    beta_share: Annotated[float, Span(min=1e-6, max=1)] = 0.5,
) -> None:
    """What both kinds have.

    Args:
        latent_dim: numbers in a layer of the state; by default 8, of clips 32.
        layers: of the state, each given those above it.
        belief: what goes through the steps and says what is known after each: a recurrent network
            (of which lstm is the fast one on a CPU), or a transformer that sees the past alone.
        belief_width: numbers in what it says; by default 64, of clips 256.
        belief_layers: of that network; by default 1, of a transformer 2.
        belief_span: steps over which a recurrent network, before it has learnt anything, keeps what
            it saw: for data whose past matters long after. By default two, which is best where the
            last steps tell most.
        belief_residual: what was read of a step also goes past a recurrent network to what is
            known after it. By default of clips, whose frames tell more than its cells hold.
        hidden: widths of the gated layers of the conditionals, and of the networks of vectors; by
            default one of 64, of clips one of 256. None at all (an empty list) makes every
            conditional affine.
        likelihood: p(x|z) of one step; auto takes what fits the data's support.
        network: encoder and decoder of one step; auto takes mlp up to 1024 numbers, conv for larger
            frames.
        activation: nonlinearity of these networks; by default their own.
        beta: weight of the rate in the objective; reported bounds are always at beta 1.
        beta_schedule: how it comes to beta: warmup, risen to from 0, so that states tell something
            before they have to be foretold; constant, it is there at once; cyclical, in four
            cycles.
        beta_share: share of the run (of each cycle) in which it rises.
    """


# Many small steps pay. Held-out bound on oscillators (td-vae, jump 1-10), nats a step, one thread:
# batches of 128 with 8 pairs each, GRU, learning rate 1e-3: -1.19 after 100 s (670 steps); batches
# of 32 with 32 pairs, LSTM, which takes a quarter of the time: 1e-3 -0.68, 3e-3 -0.12, 1e-2 -0.07
# after 60 s (1,800 steps); 3e-3 without the warm-up of beta -0.73.
_TRAINING = {"clip": 10.0, "batch_size": 32, "learning_rate": 3e-3}


@trains(**_TRAINING)
@takes(_shared)
def td_vae(
    data: DataSpec,
    *,
    jump: str = "1-10",
    pairs: Annotated[int, Span(min=1, unit="pairs")] = 32,
    ahead: Annotated[float, Span(min=0)] = 1.0,
    **shared: Any,
) -> Built:
    """TD-VAE: beliefs of states from the past, and transitions that jump over many steps at once.

    Args:
        data: sequences, or clips.
        jump: how far apart in time the two states of a training pair are, in steps: 1, 1-10, or
            several ranges with their weights, 1-10:0.8,1-120:0.2. With 1 it is trained step by
            step, on every pair of neighbours.
        pairs: of states drawn from each sequence in a training step.
        ahead: weight, at the beginning, of a second bound on the same log p, in which the later
            state comes from the past alone; it falls to 0 while the rate's weight rises, in
            beta_share of the run. 0: train without it.

    Raises:
        LowerboundError: no sequences, or jumps that are longer than they are.

    Reference:
        Gregor, Papamakarios, Besse, Buesing & Weber 2019, Temporal difference variational
        auto-encoder, arXiv 1806.03107
    """
    from ..models.tdvae import TDVAE
    from ..objectives.temporal import td_elbo
    from ..sequences import Jumps
    from ..training.phase import Phase
    from ..training.schedules import ramp

    found = Jumps.parse(jump)
    _refuse(data, "td-vae")
    found.refuse_beyond(data.event_shape[0])
    parts = _Parts(data, found.longest, **shared)
    width, time = parts.belief_width, parts.time.width
    model = TDVAE(
        *parts.common(),
        **parts.facts(),
        belief=parts.states(width),
        smoothing=parts.states(parts.latent + 2 * width + time),
        # Oscillators after a minute, error of the forecasts 10 / 20 / 50 steps ahead (0.10, 0.11
        # and 0.18 are the least there is, 0.61 their spread): in steps of 1 0.27 / 0.44 / 0.62, in
        # jumps of 5 0.12 / 0.14 / 0.33, in jumps of 10 0.14 / 0.19 / 0.42.
        hop=found.usual,
    )
    jumps = None if found == Jumps.parse("1") else found
    objective = partial(td_elbo, jumps=jumps, pairs=pairs)
    scheduled = parts.scheduled()
    if ahead:
        # Oscillators after a minute: without it the state is position and velocity at one mean
        # frequency, six of its eight numbers tell nothing, and a jump of 10 steps is off by 0.33;
        # with it all eight tell something, the frequency too (a linear probe's R^2 0.98 for 0.58),
        # and the jump is off by 0.14, of which 0.10 nobody can foresee.
        scheduled["ahead"] = ramp(ahead, 0.0, share=parts.weight[2])
    return Built(model, [Phase("td", objective, [model], scheduled=scheduled)])


# Many small products, one after the other, which the compiler would unroll; in bfloat16 a step of
# oscillators takes 1.4 x as long.
@trains(**_TRAINING, precision="float32", compile="no")
@takes(_shared)
def state_space_vae(
    data: DataSpec,
    *,
    posterior: Literal["filtering", "mean-field"] = "filtering",
    history: bool = False,
    **shared: Any,
) -> Built:
    """State-space VAE (deep Kalman filter), trained step by step: the baseline of td-vae.

    Args:
        data: sequences, or clips.
        posterior: of a state: filtering, given the state before and the data up to it; mean-field,
            given the data alone.
        history: states and data depend on all data before, too, by the recurrent network, and
            forecasts on what they draw themselves: a stochastic recurrent network, SRNN, of the
            kind of VRNN. With the filtering posterior.

    Raises:
        LowerboundError: no sequences, or a history without what it needs.

    Reference:
        Krishnan, Shalit & Sontag 2017, Structured inference networks for nonlinear state space
        models, arXiv 1609.09869; Fraccaro, Sønderby, Paquet & Winther 2016, Sequential neural
        models with stochastic layers, arXiv 1605.07571 (history)
    """
    from ..models.history import HistoryVAE
    from ..models.state_space import StateSpaceVAE
    from ..objectives.temporal import stepwise_elbo
    from ..training.phase import Phase

    _refuse(data, "state-space-vae")
    mean_field = posterior == "mean-field"
    if history and (mean_field or shared.get("belief") == "transformer"):
        came = "posterior mean-field" if mean_field else "belief transformer"
        raise LowerboundError(
            f"history: expected the filtering posterior and a recurrent belief, came {came}; leave "
            "it out"
        )
    parts = _Parts(data, 1, history=history, **shared)
    width = parts.belief_width + (0 if mean_field else parts.latent + parts.time.width)
    if history:
        model = HistoryVAE(*parts.common(), **parts.facts(), posterior=parts.states(width))
    else:
        model = StateSpaceVAE(
            *parts.common(), **parts.facts(), posterior=parts.states(width), mean_field=mean_field
        )
    return Built(model, [Phase("elbo", stepwise_elbo, [model], scheduled=parts.scheduled())])


class _Parts:
    """The pieces that both recipes build, of the options that both have."""

    def __init__(
        self,
        data: DataSpec,
        longest: int,
        *,
        latent_dim: int | None = None,
        layers: int = 1,
        belief: Memory = "lstm",
        belief_width: int | None = None,
        belief_layers: int | None = None,
        belief_span: int | None = None,
        belief_residual: bool | None = None,
        hidden: tuple[int, ...] | None = None,
        likelihood: SlotValue = "auto",
        network: SlotValue = "auto",
        activation: str | None = None,
        beta: float = 1.0,
        beta_schedule: WeightSchedule = "warmup",
        beta_share: float = 0.5,
        history: bool = False,
    ) -> None:
        from ..sequences import TimeStep

        clips = data.kind == "video"
        width = 256 if clips else 64
        self.data, self.memory = data, belief
        self.hidden = (width,) if hidden is None else hidden
        self.weight = (beta_schedule, beta, beta_share)
        self.sizes = (latent_dim or (32 if clips else 8),) * layers
        self.belief_width, self.belief_layers = belief_width or width, belief_layers
        self.belief_span = belief_span
        # Of moving digits (256 cells) a frame is known to 64 nats with it and to 86 without, after
        # 3,500 steps in which the rate costs next to nothing. Of linear-gaussian, where a step is
        # one number, one run of three never learnt the velocity with it.
        usual = clips and belief != "transformer"
        self.belief_residual = usual if belief_residual is None else belief_residual
        self.likelihood, self.network, self.activation = likelihood, network, activation
        self.time = TimeStep(longest, data.time_step or 1.0)
        self.latent = sum(self.sizes)
        self.beside = self.belief_width if history else 0  # numbers that go with a state
        self.masks = data.kind == "sequence"
        self.no_likelihood: str | None = None

    def scheduled(self) -> dict[str, Any]:
        """The weight of the rate, where it changes."""
        from ..training.schedules import weight

        name, beta, share = self.weight
        return {"beta": weight(name, beta, share=share)}

    def states(self, width: int, same: bool = False) -> Any:
        """A conditional over states, of a vector of that width.

        With `same` the vector begins with a state, near which the other one starts out: that of a
        slow world, which is easier to leave than to find.
        """
        from ..distributions import DiagonalGaussian, Head
        from ..networks.belief import Gated
        from ..sequences import Layered

        heads, above = [], 0
        for size in self.sizes:
            family = DiagonalGaussian(size)
            # The layers above come first, then the state of which this layer's part is kept.
            kept = (2 * above, size) if same else None
            network = Gated(above + width, family.raw_shape, self.hidden, kept)
            # Narrow at first: what is drawn then still tells what it was drawn for.
            network.out.bias.data[size:].fill_(_LOG_SCALE)
            heads.append(Head(network, family))
            above += size
        return Layered(heads, self.sizes)

    def common(self) -> tuple[Any, ...]:
        """Memory, reader of a step, transition, likelihood, time."""
        import math

        from ..distributions import Head
        from ..networks.belief import memory
        from .parts import decoder_of

        step = _step(self.data)
        family, self.no_likelihood = likelihood_of(step, self.likelihood)
        # The networks of a vector are as deep as the conditionals; those of frames their own. One
        # hidden layer keeps more of a small frame: moving digits (held-out bound over jumps) 92.2
        # nats a frame after 6 minutes of one thread, with two 94.5 after 11.
        hidden = self.hidden if step.kind == "vector" else None
        if step.kind == "image" and (self.network, step.network) == ("auto", "mlp"):
            hidden = (512,)
        coder = networks_of(step, self.network, hidden, self.activation)
        context = math.prod(step.event_shape) if self.masks else 0
        read = coder.encoder((self.belief_width,), context=context)
        unit = self.data.time_step or 1.0
        goes = memory(
            self.memory, self.belief_width + self.time.width, self.belief_width,
            self.belief_layers, unit, self.belief_span, self.belief_residual,
        )  # fmt: skip
        transition = self.states(self.latent + self.beside + self.time.width, same=True)
        known = self.latent + self.beside
        likelihood: Head = decoder_of(step, coder, None, known, family, True)
        return goes, read, transition, likelihood, self.time

    def facts(self) -> dict[str, Any]:
        """What the model says of itself; after :meth:`common`."""
        return {
            "event_shape": self.data.event_shape,
            "latent_dim": self.latent,
            "masks": self.masks,
            "no_likelihood": self.no_likelihood,
            "timed": self.data.time_step is not None,
        }


def _step(data: DataSpec) -> DataSpec:
    """The spec of one step (or frame) of sequences (or clips): what a model of them decodes."""
    import math
    from dataclasses import replace

    shape, steps = data.event_shape[1:], data.event_shape[0]
    mean = data.mean.mean(0)
    spread = ((data.std**2 + (data.mean - mean) ** 2).mean(0)) ** 0.5
    image = data.kind == "video"
    return replace(
        data,
        kind="image" if image else "vector",
        event_shape=shape,
        log_jacobian=data.log_jacobian / steps,
        mean=mean,
        std=spread,
        network="conv" if image and math.prod(shape) > 1024 else "mlp",
    )


def _refuse(data: DataSpec, name: str) -> None:
    if data.kind not in ("sequence", "video") or data.support == "categories":
        what = "categories" if data.support == "categories" else f"{data.kind} data"
        raise LowerboundError(
            f"{name}: expected sequences of steps of numbers, came {what} of shape "
            f"{data.event_shape}; pass arrays (N, T) or (N, T, D) with --kind sequence, a folder "
            "in which each file is one, or clips"
        )


def _prepared_for(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays are read as sequences, without being told."""
    return {"kind": "sequence", "likelihood": arguments.get("likelihood", "auto")}


RECIPES = {"td-vae": td_vae, "state-space-vae": state_space_vae}

for _recipe in RECIPES.values():
    vars(_recipe).update(prepared_for=_prepared_for, reads_gaps=True, decides=("network",))
