"""Data sets by name: embedded, made, found on disk, or fetched once with a checksum."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lowerbound.data import avatars, dsprites, formats, images, maze, moving_digits, series, toys
from lowerbound.data.arrays import ArrayRows, read_array
from lowerbound.data.splits import Source
from lowerbound.errors import LowerboundError

DATA_DIR = "LOWERBOUND_DATA"
EMBEDDED = ("digits", "iris", "wine", "breast-cancer")  # scikit-learn's, no network
# Functions of the index or of a seed, no file.
MADE = {"dsprites": dsprites.source, "maze": maze.source, **series.MADE, **toys.MADE}
DRAWN = {"avatars": avatars.source}  # the same, at any size


@dataclass(frozen=True)
class Known:
    """A data set that others host.

    Attributes:
        files: names and md5 sums, as its authors publish them.
        mirrors: addresses of the folder of these files, tried in turn.
        folders: where others who fetched it before keep it, within a data folder.
        classes: of the labels; () where numbers say it.
        label_bytes: of a CIFAR record; 0 for idx files.
    """

    files: dict[str, str]
    mirrors: tuple[str, ...]
    folders: tuple[str, ...]
    classes: tuple[str, ...] = ()
    label_bytes: int = 0


def _idx(train: str, train_labels: str, test: str, test_labels: str) -> dict[str, str]:
    return dict(zip(formats.IDX, (train, train_labels, test, test_labels), strict=True))


# md5 sums of the idx files: those of torchvision.datasets.mnist, which are its authors' files.
# md5 sums of CIFAR: https://www.cs.toronto.edu/~kriz/cifar.html, the binary versions, for the
# Python ones are pickles.
FETCHED = {
    "mnist": Known(
        _idx(
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ),
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        ("mnist", "MNIST/raw"),
    ),
    "fashion-mnist": Known(
        _idx(
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
        ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
        ("fashion-mnist", "fashion_mnist", "FashionMNIST/raw"),
        ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag",
         "ankle boot"),
    ),
    "kmnist": Known(
        _idx(
            "bdb82020997e1d708af4cf47b453dcf7",
            "e144d726b3acfaa3e44228e80efcd344",
            "5c965bf0a639b31b8f53240b1b52f4d7",
            "7320c461ea6c1c855c0b718fb2a4b134",
        ),
        ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
        ("kmnist", "KMNIST/raw"),
        ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    ),
    "cifar10": Known(
        {"cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530"},
        ("https://www.cs.toronto.edu/~kriz/",),
        ("cifar10", "cifar-10"),
        ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        label_bytes=1,
    ),
    "cifar100": Known(
        {"cifar-100-binary.tar.gz": "03b5dce01913d631647c71ecec9e9cb8"},
        ("https://www.cs.toronto.edu/~kriz/",),
        ("cifar100", "cifar-100"),
        label_bytes=2,
    ),
}  # fmt: skip
NAMES = (*EMBEDDED, *MADE, *DRAWN, *moving_digits.MADE, *toys.STACKED, *FETCHED)
_OTHER_NAMES = {"fashionmnist": "fashion-mnist", "cifar-10": "cifar10", "cifar-100": "cifar100"}
_OTHER_NAMES |= toys.OTHER_NAMES


def resolve(name: str) -> str | None:
    """The data set that a name means, None where it means none.

    >>> resolve("Fashion_MNIST")
    'fashion-mnist'
    """
    folded = name.lower().replace("_", "-")
    folded = _OTHER_NAMES.get(folded, folded)
    return folded if folded in NAMES else None


def is_drawn(name: str) -> bool:
    """Whether a name means pictures that can be drawn at any size."""
    return resolve(name) in DRAWN


def read(
    name: str, data_dir: str | Path | None = None, size: tuple[int, int] | None = None
) -> Source:
    """A data set by name.

    Looked for in `data_dir`, in the folder that LOWERBOUND_DATA names and in the user's cache;
    fetched into the cache otherwise.

    Raises:
        LowerboundError: neither found nor fetched; the message says where it was looked for.
    """
    resolved = resolve(name)
    if resolved in EMBEDDED:
        return _embedded(resolved)
    if resolved in MADE:
        return MADE[resolved]()
    if resolved in DRAWN:
        if size is not None and size[0] != size[1]:
            raise LowerboundError(f"{name}: expected a square size, came {size[0]}x{size[1]}")
        return DRAWN[resolved](None if size is None else size[0])
    if resolved in moving_digits.MADE:
        return moving_digits.source(resolved, read(moving_digits.MADE[resolved][0], data_dir))
    if resolved in toys.STACKED:
        return toys.stacked(resolved, read(toys.STACKED[resolved][0], data_dir))
    if resolved is None:
        raise LowerboundError(f"expected one of {', '.join(NAMES)}, came '{name}'")
    places = _places(data_dir)
    for place in places:
        found = _find(resolved, place)
        if found is not None:
            found.name = resolved
            return found
    folder = _fetch(resolved, places)
    return _from_files(resolved, folder)


def cache_folder() -> Path:
    """The user's cache of data sets."""
    import pooch

    return Path(pooch.os_cache("lowerbound")) / "data"


def _places(data_dir: str | Path | None) -> list[Path]:
    given = [Path(data_dir).expanduser()] if data_dir is not None else []
    if given and not given[0].is_dir():
        raise LowerboundError(f"expected data_dir as a folder, came {given[0]}, which is none")
    variable = os.environ.get(DATA_DIR)
    named = [Path(variable).expanduser()] if variable else []
    return [*given, *named, cache_folder()]


def _embedded(name: str) -> Source:
    from sklearn import datasets

    if name == "digits":
        bunch = datasets.load_digits()
        rows = ArrayRows(bunch.images.astype(np.uint8), name)
        return Source(name, rows, bunch.target, levels=17, as_came="uint8")
    loader = {"iris": "load_iris", "wine": "load_wine", "breast-cancer": "load_breast_cancer"}
    bunch = getattr(datasets, loader[name])()
    source = Source(name, ArrayRows(bunch.data, name), bunch.target, as_came="float64")
    source.columns = tuple(bunch.feature_names)
    source.classes = tuple(str(each) for each in bunch.target_names)
    return source


def _find(name: str, place: Path) -> Source | None:
    """The data set in a folder, in any of the layouts that people keep it in."""
    if not place.is_dir():
        return None
    known = FETCHED[name]
    spellings = dict.fromkeys((name, name.replace("-", "_"), *known.folders))
    for spelling in spellings:
        archive = place / f"{spelling}.npz"
        if archive.is_file():
            source = read_array(archive, None)
            source.classes = known.classes or None
            return _noted(source, archive)
    for folder in (place, *(place / spelling for spelling in spellings)):
        # idx files of all sets are called the same: outside a folder of their name, the sums tell.
        if _holds(known, folder, trusted=folder != place):
            return _noted(_from_files(name, folder), folder)
    zips = [place / f"{spelling}.zip" for spelling in spellings]
    zips += sorted(place.glob(f"{name}_*.zip"))  # cifar10_jpeg.zip
    folders = [place / spelling for spelling in spellings]
    for path in (*zips, *folders):
        if path.is_file() or (path.is_dir() and any(each.is_dir() for each in path.iterdir())):
            return _noted(images.read(path, None, skip_bad=False), path)
    return None


def _noted(source: Source, path: Path) -> Source:
    source.notes.append(("read from", str(path)))
    return source


def _holds(known: Known, folder: Path, trusted: bool) -> bool:
    if known.label_bytes:
        return formats.find_cifar(folder, next(iter(known.files))) is not None
    for file, md5 in known.files.items():
        zipped, plain = folder / file, folder / file.removesuffix(".gz")
        if trusted and (zipped.is_file() or plain.is_file()):
            continue
        if not zipped.is_file() or _md5(zipped) != md5:
            return False
    return True


def _from_files(name: str, folder: Path) -> Source:
    known = FETCHED[name]
    if known.label_bytes:
        path = formats.find_cifar(folder, next(iter(known.files)))
        parts = None if path is None else formats.read_cifar(path, known.label_bytes)
        if parts is None:
            raise LowerboundError(f"expected {', '.join(known.files)} in {folder}, came none")
    else:
        parts = formats.read_idx_set(folder)
    (train, labels), (test, test_labels) = parts
    source = Source(name, ArrayRows(train, name), labels, as_came="uint8")
    source.test, source.test_labels = ArrayRows(test, name), test_labels
    source.classes = known.classes or None
    return source


def _fetch(name: str, places: list[Path]) -> Path:
    """The folder of the cache that the set's files were fetched into."""
    import pooch

    known = FETCHED[name]
    folder = cache_folder() / name
    reason = ""
    for mirror in known.mirrors:
        try:
            for file, md5 in known.files.items():
                pooch.retrieve(mirror + file, known_hash=f"md5:{md5}", fname=file, path=folder)
            return folder
        except (OSError, ValueError) as error:  # requests' errors are OSErrors
            wrong = isinstance(error, ValueError)
            reason = f"{mirror}: {'another checksum' if wrong else type(error).__name__}"
    files = ", ".join(known.files)
    raise LowerboundError(
        f"expected {name} in {', '.join(map(str, places))} or online, came neither ({reason}): "
        f"put {name}.npz, or {files}, in a folder and pass it as data_dir (--data-dir) "
        f"or in {DATA_DIR}"
    )


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
