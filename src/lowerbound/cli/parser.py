"""From arguments to a call: which verb, which flags it has today, and their values.

The flags of ``train`` depend on the recipe and on what fills its slots. So both are looked up in
the arguments and the YAML file first; then cyclopts parses once, against the joined signature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from cyclopts import App, CycloptsError, UnknownOptionError, UnusedCliTokensError

from lowerbound import recipes
from lowerbound.cli import (
    attributes,
    codec,
    compare,
    config,
    demo,
    diagnose,
    embed,
    explore,
    export,
    flags,
    forecast,
    sound,
    studio,
    sweep,
    verbs,
)
from lowerbound.cli.data_options import choice_options, data_options
from lowerbound.cli.flags import Section
from lowerbound.errors import LowerboundError
from lowerbound.options import trained_with
from lowerbound.training.options import training_options

Verb = Callable[..., "int | None"]

VERBS: dict[str, Verb] = {
    "train": verbs.train,
    "evaluate": verbs.evaluate,
    "sample": verbs.sample,
    "reconstruct": verbs.reconstruct,
    "complete": verbs.complete,
    "denoise": embed.denoise,
    "traverse": explore.traverse,
    "plane": explore.plane,
    "interpolate": explore.interpolate,
    "vary": explore.vary,
    "attributes": attributes.attributes,
    "edit": attributes.edit,
    "analogy": attributes.analogy,
    "map": explore.map_,
    "search": explore.search,
    "encode": codec.encode,
    "decode": codec.decode,
    "convert": sound.convert,
    "forecast": forecast.forecast,
    "belief": forecast.belief,
    "embed": embed.embed,
    "resume": verbs.resume,
    "diagnose": diagnose.diagnose,
    "compare": compare.compare,
    "sweep": sweep.sweep,
    "inspect": verbs.inspect,
    "demo": demo.demo,
    "studio": studio.studio,
    "export": export.export,
    "recipes": verbs.recipes,
}


def parse(argv: Sequence[str]) -> Callable[[], int | None]:
    """What the arguments ask for, ready to be called.

    Args:
        argv: the arguments after the program's name.

    Returns:
        The verb with its arguments (a :func:`functools.partial`), or the printing of a help text
        or of the version.

    Raises:
        LowerboundError: an unknown verb, flag, recipe or key (the nearest is offered), a value that
            does not fit, something missing or too much.
    """
    app = App(
        name="lowerbound",
        help="Train, measure, explore and ship deep latent-variable models.",
        version=_version,
        help_format="plaintext",  # markup would eat the underscores of a pattern
    )
    chosen = VERBS.get(argv[0]) if argv else None
    argv = sweep.joined(argv) if chosen is sweep.sweep else argv
    for place, (name, verb) in enumerate(VERBS.items()):
        if verb is not chosen:
            app.command(verb, name=name, sort_key=place)
    if chosen is None:
        command, bound = _parsed(app, argv)
        return partial(command, *bound.args, **bound.kwargs)

    path = value_of(argv, "config")
    file = _overruled(config.load(path), argv) if path else {}
    known = flags.flags_of(sections(chosen, argv, file))
    config.check_keys(path or "", file, [*flags.positionals(chosen), *known])
    given = {key: known[key].check(value) if key in known else value for key, value in file.items()}

    joined = flags.signature(chosen, known, given)
    app.command(joined, name=argv[0])
    recipe = recipe_of(argv, file) if chosen in (verbs.train, sweep.sweep) else None
    command, bound = _parsed(app, argv, recipe)
    if command is not joined:  # --help, --version
        return partial(command, *bound.args, **bound.kwargs)
    for key, value in flags.by_key(bound.arguments).items():
        given[key] = known[key].check(value) if key in known else value
    given.pop("config", None)
    arguments = [given.pop(name) for name in flags.positionals(chosen) if name in given]
    return partial(chosen, *arguments, **flags.nest(given, known))


def sections(verb: Verb, argv: Sequence[str], file: Mapping[str, Any]) -> list[Section]:
    """Which functions' parameters are a verb's flags.

    Args:
        verb: the verb.
        argv: all arguments; they name the recipe and what fills its slots.
        file: the same from a YAML file, by key.
    """
    own = [Section("Options", verb), Section("Options", config.file_options)]
    if verb is verbs.inspect:
        return [*own, Section("Data", data_options), Section("Data", choice_options)]
    if verb is embed.embed:
        return [*own, Section("Training", training_options), Section("Data", data_options)]
    if verb not in (verbs.train, sweep.sweep):
        return own
    name = recipe_of(argv, file)
    recipe = recipes.recipe(name)
    slots = [key for key, option in flags.options_of(recipe).items() if option.slot]
    filled = {key: value_of(argv, key) or file.get(key) for key in slots}
    return [
        *own,
        Section("Training", training_options, defaults=trained_with(recipe)),
        Section("Data", data_options),
        Section(f"Recipe: {name}", recipe, note=flags.note_of(recipe)),
        *flags.slot_sections(recipe, {key: name for key, name in filled.items() if name}),
    ]


def recipe_of(argv: Sequence[str], file: Mapping[str, Any]) -> str:
    """The recipe that the arguments name, else the file, else the default one."""
    return str(value_of(argv, "recipe") or file.get("recipe") or verbs.RECIPE)


def value_of(argv: Sequence[str], key: str) -> str | None:
    """The last value that the arguments give a flag, without knowing the other flags.

    >>> value_of(["train", "digits", "--recipe", "pca"], "recipe")
    'pca'
    """
    name = "--" + key.replace("_", "-")
    found = None
    for argument, following in zip(argv, [*argv[1:], None], strict=True):
        if argument == "--":
            break
        if argument == name:
            found = following
        elif argument.startswith(f"{name}="):
            found = argument.removeprefix(f"{name}=")
    return found


def _overruled(file: Mapping[str, Any], argv: Sequence[str]) -> dict[str, Any]:
    """The file's values without the options of a slot that the arguments fill with another."""
    kept = {}
    for key, value in file.items():
        slot, dot, _ = key.partition(".")
        other = value_of(argv, slot) if dot else None
        if other is None or other == file.get(slot):
            kept[key] = value
    return kept


def _version() -> str:
    from importlib.metadata import version

    return version("lowerbound")


def _parsed(
    app: App, argv: Sequence[str], recipe: str | None = None
) -> tuple[Callable[..., Any], Any]:
    try:
        command, bound, *_ = app.parse_args(list(argv), exit_on_error=False, print_error=False)
    except UnusedCliTokensError as error:
        extra = " ".join(error.unused_tokens or [])
        raise LowerboundError(f"expected no further argument, came {extra}") from None
    except UnknownOptionError as error:
        flag = (error.token.keyword or error.token.value or "").partition("=")[0]
        known = [name for argument in error.argument_collection for name in argument.names]
        raise LowerboundError(_unknown(flag, known, recipe)) from None
    except CycloptsError as error:
        error.verbose = False
        raise LowerboundError(" ".join(str(error).split())) from None
    return command, bound


def _unknown(flag: str, known: Sequence[str], recipe: str | None) -> str:
    """What to say of a flag that is none: that another recipe has it, else the nearest one."""
    key = config.normal(flag.partition(".")[0])
    if recipe is not None and key not in flags.options_of(recipes.recipe(recipe)):
        others = [n for n, other in recipes.RECIPES.items() if key in flags.options_of(other)]
        if others:
            name = flag.partition(".")[0]
            return f"recipe {recipe} has no {name}; recipe {' or '.join(others)} has it"
    near = config.nearest_flag(flag, known)
    return f"Unknown option: {flag}." + (f" Did you mean {near}?" if near else "")
