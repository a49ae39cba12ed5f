"""``--config FILE.yaml``: any flags of a command, from a file; the command line wins over it.

    data: digits
    recipe: vae
    latent_dim: 2
    learning_rate: 3e-4
    likelihood: {name: gaussian, sigma: learned}

Keys are the flags' names, with dashes or underscores. Values follow YAML 1.2, as people read them:
``3e-4`` is a number and ``compile: yes`` is the word (PyYAML's 1.1 has a text and a boolean there).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from lowerbound.errors import LowerboundError

_RESOLVERS = {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?[0-9]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
}


class _Loader(yaml.SafeLoader):
    """YAML 1.2's core schema; a key given twice is an error, not the last one's win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str):
                key = normal(key)
            if key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key '{key}' stands here a second time",
                    problem_mark=key_node.start_mark,
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern in _RESOLVERS.items():
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), first=None
    )


def scalar(text: str) -> Any:
    """One value of the command line as YAML reads it.

    >>> scalar("3e-4"), scalar("12"), scalar("yes"), scalar("true")
    (0.0003, 12, 'yes', True)
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError:
        return text


def normal(key: str) -> str:
    """The key of a flag: dashes and underscores are the same."""
    return key.lstrip("-").replace("-", "_")


def load(path: str) -> dict[str, Any]:
    """The values of a YAML file, by normal key; a slot's mapping is taken apart.

    Args:
        path: the file.

    Returns:
        ``{"latent_dim": 2, "likelihood": "gaussian", "likelihood.sigma": "learned"}``.

    Raises:
        LowerboundError: no such file, no YAML, or no mapping of flags.
    """
    try:
        content = yaml.load(Path(path).read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise LowerboundError(
            f"--config: expected a YAML file, {path} cannot be read: {error.strerror}"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        reason = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise LowerboundError(f"--config: {path}{line} is no YAML: {reason}") from None
    if content is None:
        return {}
    if not isinstance(content, Mapping):
        raise LowerboundError(
            f"--config: expected `flag: value` lines in {path}, came {type(content).__name__}"
        )
    values: dict[str, Any] = {}
    for key, value in content.items():
        key = normal(str(key))
        if isinstance(value, Mapping) and value:
            inner = {normal(str(name)): item for name, item in value.items()}
            values |= {key: inner.pop("name")} if "name" in inner else {}
            values |= {f"{key}.{name}": item for name, item in inner.items()}
        else:
            values[key] = value
    return values


def check_keys(path: str, values: Iterable[str], known: Iterable[str]) -> None:
    """Refuse keys that are no flag.

    Raises:
        LowerboundError: the first unknown key, with the nearest known one.
    """
    known = list(known)
    for key in values:
        if key not in known:
            near = nearest_flag(key, known)
            hint = f"did you mean '{near}'?" if near else "`--help` lists the flags"
            raise LowerboundError(f"{path}: unknown key '{key}'; {hint}")


def nearest_flag(given: str, names: Iterable[str]) -> str | None:
    """The nearest flag or key; the option of a slot is known by its last part, too.

    >>> nearest_flag("--sigma", ["--ema", "--likelihood.sigma"])
    '--likelihood.sigma'
    """
    # without the dashes, which all flags share
    found = {name.lstrip("-"): name for name in names}
    for whole, name in list(found.items()):
        found.setdefault(whole.rpartition(".")[2], name)
    close = get_close_matches(given.lstrip("-"), found, n=1)
    return found[close[0]] if close else None


def file_options(*, config: str | None = None) -> dict[str, Any]:
    """Flags from a file.

    Args:
        config: YAML file with any of these flags; the command line wins over it.
    """
    return dict(locals())
