"""The house's rules, read off the syntax trees: nothing is imported but the sources' text."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "lowerbound"
FILES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES = 500

# Each part may import the parts of its own set and nothing else of lowerbound's, also inside
# functions: a loop that is hidden in a function is still a loop.
GROUND = {
    "errors",
    "allocator",
    "options",
    "collectives",
    "movies",
    "noise",
    "plain",
    "sound",
    "words",
}
BUILDERS = GROUND | {"slots", "distributions", "networks", "bounds", "objectives", "models"}
BUILDERS |= {"flows", "inference", "mixtures", "autoregressive", "quantize", "sequences"}
REPORTS = {"evaluation", "latent", "plots", "report"}
MAY_IMPORT = {
    "errors": set(),
    "collectives": set(),
    "noise": set(),
    "movies": {"errors"},
    "plain": set(),
    "sound": set(),
    "words": {"errors"},
    "allocator": set(),
    "options": {"errors", "slots"},
    "slots": GROUND | {"autoregressive", "quantize", "flows", "distributions", "networks"},
    "distributions": GROUND,
    "networks": GROUND | {"distributions"},
    "bounds": GROUND | {"distributions"},
    "divergences": GROUND | {"distributions"},
    "adversarial": set(),
    "objectives": GROUND
    | {"distributions", "bounds", "divergences", "adversarial", "quantize"}
    | {"sequences"},
    "inference": GROUND | {"distributions", "bounds"},
    "flows": GROUND | {"distributions", "networks"},
    "autoregressive": GROUND | {"distributions", "networks"},
    "quantize": GROUND | {"distributions"},
    "sequences": GROUND | {"distributions"},
    "mixtures": GROUND | {"distributions"},
    "models": BUILDERS - {"models", "objectives"},
    "recipes": BUILDERS | {"data", "training"},
    "data": GROUND,
    "training": GROUND | {"distributions", "data"},
    "evaluation": GROUND | {"inference", "distributions", "divergences", "bounds", "data"},
    "latent": GROUND | {"distributions", "bounds", "data", "evaluation"},
    "plots": GROUND | {"data", "evaluation", "latent"},
    "report": GROUND | {"data", "evaluation", "latent", "plots"},
    "console": GROUND | {"training"},
    "runs": BUILDERS | {"recipes", "data", "training", "evaluation"},
    "session": BUILDERS | {"recipes", "data", "training", "runs", "watching"},
    "watching": GROUND | {"data", "drawing", "evaluation", "training"},
    "conditioning": GROUND | {"data", "evaluation", "runs"},
    "measuring": GROUND | {"evaluation", "runs"},
    "asking": GROUND | {"evaluation", "runs"},
    "nothing": GROUND | {"data", "plots"},
    "drawing": GROUND | {"data", "conditioning"},
    "captions": set(),
    "sentences": GROUND | {"data", "runs", "conditioning", "pictures", "plots"},
    "pictures": BUILDERS
    | REPORTS
    | {"data", "training", "runs", "conditioning", "nothing", "drawing", "captions", "listening"}
    | {"sentences", "forecast_files"},
    "listening": GROUND | REPORTS | {"data", "training", "runs", "conditioning"},
    "converting": GROUND | {"data", "runs", "conditioning", "autoregressive"},
    "continuing": GROUND | {"autoregressive", "data", "runs", "conditioning"},
    "series": GROUND | {"data", "runs"},
    "forecasting": GROUND | {"data", "evaluation", "runs", "sequences", "series"},
    "forecast_files": GROUND | {"data", "forecasting", "plots", "runs", "training"},
    "codec": BUILDERS | {"data", "training", "runs", "conditioning", "continuing", "plots"},
    "sample_quality": {"errors", "api", "drawing", "evaluation", "plots", "runs"},
    "demos": BUILDERS | {"data", "evaluation", "plots", "recipes", "training"},
    "diagnosis": BUILDERS | {"data", "evaluation", "recipes", "runs", "training"},
    "comparison": BUILDERS | {"data", "evaluation", "plots", "runs", "training"},
    "sweeps": BUILDERS
    | {"console", "data", "evaluation", "plots", "recipes", "runs", "session", "training"},
    "embedding": BUILDERS | REPORTS | {"data", "training", "recipes", "runs"},
    "exploring": BUILDERS
    | REPORTS
    | {"data", "training", "runs", "conditioning", "continuing", "drawing", "listening"},
    "shipping": BUILDERS | REPORTS | {"data", "training", "runs", "conditioning", "exploring"},
    "denoising": BUILDERS | REPORTS | {"data", "training", "runs", "pictures"},
    "api": BUILDERS
    | REPORTS
    | {"data", "training", "recipes", "runs", "session", "pictures", "conditioning", "drawing"}
    | {"asking", "console", "continuing", "measuring", "sentences"},
}
# These answer `--help`. Their functions may import torch, the modules may not.
WITHOUT_TORCH = ("errors", "options", "slots", "recipes", "console", "cli", "training.options")
HEAVY = {"torch", "numpy", "lightning", "zuko", "matplotlib", "sklearn", "PIL", "pooch"}
# Every module may be slow to import but for these, which only one function each needs.
ONLY_WHEN_USED = {"matplotlib", "sklearn", "tensorboard", "pooch", "zuko"}
MAY_PRINT = {"console", "cli"}


def module(path: Path) -> str:
    """`data.load` for src/lowerbound/data/load.py."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imported(node: ast.AST, path: Path) -> Iterator[str]:
    """Full names that one statement imports: `lowerbound.data.spec`, `torch.nn`."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    if not isinstance(node, ast.ImportFrom):
        return
    base = node.module or ""
    if node.level:
        package = ("lowerbound", *path.relative_to(PACKAGE).parent.parts)
        kept = package[: len(package) - node.level + 1]
        base = ".".join([*kept, base] if base else kept)
    if base == "lowerbound":
        names = (alias.name for alias in node.names)
        yield from (f"lowerbound.{name}" for name in names if not name.startswith("__"))
    else:
        yield base


def at_import(nodes: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run when a module is imported: not in functions, not for type checkers."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from at_import(node.orelse)
            continue
        yield node
        for field in ("body", "orelse", "finalbody"):
            yield from at_import(getattr(node, field, None) or [])


def for_types_only(root: ast.Module) -> set[ast.AST]:
    blocks = [node for node in ast.walk(root) if isinstance(node, ast.If)]
    checked = [node for node in blocks if "TYPE_CHECKING" in ast.unparse(node.test)]
    return {inner for node in checked for statement in node.body for inner in ast.walk(statement)}


@pytest.mark.parametrize("path", FILES, ids=module)
def test_imports_point_one_way(path: Path) -> None:
    part = module(path).partition(".")[0]
    if part not in MAY_IMPORT:
        return  # above everything: cli, studio, the package itself
    root = tree(path)
    skipped = for_types_only(root)
    reached = {
        name.split(".")[1]
        for node in ast.walk(root)
        if node not in skipped
        for name in imported(node, path)
        if name.startswith("lowerbound.")
    }
    assert reached <= MAY_IMPORT[part] | {part}, f"{part} imports from above"


@pytest.mark.parametrize("path", FILES, ids=module)
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", FILES, ids=module)
def test_only_the_console_prints(path: Path) -> None:
    if module(path).partition(".")[0] in MAY_PRINT:
        return
    calls = (node.func for node in ast.walk(tree(path)) if isinstance(node, ast.Call))
    assert not [call.lineno for call in calls if ast.unparse(call) == "print"]


@pytest.mark.parametrize("path", FILES, ids=module)
def test_help_needs_no_torch(path: Path) -> None:
    name = module(path)
    light = any(name == prefix or name.startswith(f"{prefix}.") for prefix in WITHOUT_TORCH)
    forbidden = HEAVY if light else ONLY_WHEN_USED
    if name.partition(".")[0] == "plots":  # itself imported where it is used
        forbidden = forbidden - {"matplotlib"}
    found = {
        imported_name
        for node in at_import(tree(path).body)
        for imported_name in imported(node, path)
        if imported_name.partition(".")[0] in forbidden
    }
    assert not found, "import it inside the function that needs it"


def test_every_part_is_known() -> None:
    """A new part states what it may import, or that it stands above."""
    above = {"", "__main__", "cli", "studio"}
    assert {module(path).partition(".")[0] for path in FILES} <= set(MAY_IMPORT) | above
