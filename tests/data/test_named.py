"""Data sets by name: embedded, in the folders people keep, and a clear line when there are none."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import struct
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lowerbound.data import formats, load, named
from lowerbound.errors import LowerboundError

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (20, 28, 28), dtype=np.uint8)
LABELS = (np.arange(20) % 10).astype(np.uint8)
COLOUR = RANDOM.integers(0, 256, (10, 3, 32, 32), dtype=np.uint8)
MNIST = Path(__file__).parents[3] / "shared" / "data" / "mnist.npz"


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    """No network, no cache of the user's, no folder from the environment."""
    import pooch

    def refuse(url, **_):
        raise ConnectionError(f"no network for {url}")

    monkeypatch.setattr(pooch, "retrieve", refuse)
    monkeypatch.setattr(named, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv(named.DATA_DIR, raising=False)


def idx(array: np.ndarray) -> bytes:
    shape = struct.pack(f">{array.ndim}i", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + shape + array.tobytes()


def write_idx(folder: Path, zipped: bool = True) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    arrays = (IMAGES, LABELS, IMAGES[:5], LABELS[:5])
    for name, array in zip(formats.IDX, arrays, strict=True):
        path = folder / (name if zipped else name.removesuffix(".gz"))
        path.write_bytes(gzip.compress(idx(array)) if zipped else idx(array))


def check(data, images=IMAGES[:, None], labels=LABELS):
    assert torch.equal(data.train.all(), torch.from_numpy(np.ascontiguousarray(images)))
    assert data.train.labels.tolist() == labels.tolist()


def test_names_are_read_in_other_spellings():
    assert named.resolve("Fashion_MNIST") == named.resolve("FashionMNIST") == "fashion-mnist"
    assert named.resolve("CIFAR-10") == "cifar10"
    assert named.resolve("letters") is None


@pytest.mark.parametrize(("name", "numbers"), [("iris", 4), ("wine", 13), ("breast-cancer", 30)])
def test_embedded_tables(name, numbers):
    spec = load(name).spec
    assert (spec.kind, spec.event_shape, spec.likelihood) == ("vector", (numbers,), "gaussian")


def test_neither_found_nor_online(tmp_path):
    with pytest.raises(LowerboundError) as caught:
        load("mnist", data_dir=tmp_path)
    message = str(caught.value)
    assert str(tmp_path) in message and str(tmp_path / "cache") in message
    assert "ConnectionError" in message and "mnist.npz" in message and "--data-dir" in message
    assert "\n" not in message


def test_unknown_names_and_folders(tmp_path):
    with pytest.raises(LowerboundError, match="did you mean 'digits'"):
        load("digit")
    with pytest.raises(LowerboundError, match="expected data_dir as a folder"):
        load("mnist", data_dir=tmp_path / "absent")


def test_npz_in_a_data_folder(tmp_path, monkeypatch):
    np.savez(
        tmp_path / "mnist.npz",
        train_images=IMAGES, train_labels=LABELS, test_images=IMAGES[:5], test_labels=LABELS[:5],
    )  # fmt: skip
    check(load("mnist", data_dir=tmp_path))
    monkeypatch.setenv(named.DATA_DIR, str(tmp_path))
    data = load("mnist")
    check(data)
    assert data.spec.name == "mnist"
    assert dict(data.lines())["read from"] == str(tmp_path / "mnist.npz")


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("folder", ["fashion-mnist", "FashionMNIST/raw"])
def test_idx_files_in_a_folder_of_the_name(tmp_path, folder, zipped):
    write_idx(tmp_path / folder, zipped)
    data = load("fashion-mnist", data_dir=tmp_path)
    check(data)
    assert data.spec.classes is not None and data.spec.classes[9] == "ankle boot"
    with pytest.raises(LowerboundError, match="came neither"):
        load("mnist", data_dir=tmp_path)


def test_idx_files_beside_each_other_are_told_by_their_sums(tmp_path, monkeypatch):
    write_idx(tmp_path)
    with pytest.raises(LowerboundError, match="came neither"):
        load("kmnist", data_dir=tmp_path)
    sums = {name: hashlib.md5((tmp_path / name).read_bytes()).hexdigest() for name in formats.IDX}
    known = replace(named.FETCHED["kmnist"], files=sums)
    monkeypatch.setitem(named.FETCHED, "kmnist", known)
    check(load("kmnist", data_dir=tmp_path))


def test_a_cut_idx_file(tmp_path):
    write_idx(tmp_path / "mnist", zipped=False)
    path = tmp_path / "mnist" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(LowerboundError, match="which does not open"):
        load("mnist", data_dir=tmp_path)


def test_fetched_once_with_the_sums_of_its_authors(tmp_path, monkeypatch):
    import pooch

    fetched = []

    def retrieve(url, known_hash, fname, path):
        fetched.append((url, known_hash))
        write_idx(Path(path))

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    check(load("mnist"))
    assert len(fetched) == 4
    assert fetched[0][0].endswith(formats.IDX[0])
    assert fetched[0][1] == "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873"
    check(load("mnist"))
    assert len(fetched) == 4


def test_a_fetch_that_broke_off_is_taken_up_again(tmp_path):
    write_idx(tmp_path / "cache" / "mnist")
    (tmp_path / "cache" / "mnist" / formats.IDX[3]).unlink()
    with pytest.raises(LowerboundError, match="came neither"):
        load("mnist")


def test_the_second_mirror_serves_when_the_first_fails(monkeypatch):
    import pooch

    def retrieve(url, known_hash, fname, path):
        if url.startswith(named.FETCHED["mnist"].mirrors[0]):
            raise ValueError("MD5 hash does not match")
        write_idx(Path(path))

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    check(load("mnist"))


def cifar_tar(path: Path, batches: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in batches.items():
            member = tarfile.TarInfo(f"folder/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def test_cifar_records(tmp_path):
    labels = np.arange(10, dtype=np.uint8)
    ten = np.column_stack([labels, COLOUR.reshape(10, -1)]).tobytes()
    cifar_tar(
        tmp_path / "cifar-10-binary.tar.gz",
        {"data_batch_2.bin": ten, "data_batch_1.bin": ten, "test_batch.bin": ten, "a.txt": b"x"},
    )
    data = load("cifar10", data_dir=tmp_path)
    check(data, np.concatenate([COLOUR, COLOUR]), np.concatenate([labels, labels]))
    assert data.spec.classes is not None and data.spec.classes[0] == "airplane"
    coarse = np.column_stack([labels // 5, labels, COLOUR.reshape(10, -1)]).tobytes()
    cifar_tar(tmp_path / "cifar-100-binary.tar.gz", {"train.bin": coarse, "test.bin": coarse})
    check(load("cifar100", data_dir=tmp_path), COLOUR, labels)


def test_cifar_in_python_is_read_without_running_its_code(tmp_path):
    labels = list(range(10))
    batch = pickle.dumps({b"data": COLOUR.reshape(10, -1), b"labels": labels}, protocol=4)
    folder = tmp_path / "cifar10" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name in ("data_batch_1", "test_batch"):
        (folder / name).write_bytes(batch)
    check(load("cifar10", data_dir=tmp_path), COLOUR, np.array(labels))

    class Evil:
        def __reduce__(self):
            return (print, ("run",))

    (folder / "test_batch").write_bytes(pickle.dumps({b"data": Evil()}))
    with pytest.raises(LowerboundError, match="not run here"):
        load("cifar10", data_dir=tmp_path)


@pytest.mark.skipif(not MNIST.is_file(), reason="MNIST is not here")
def test_mnist():
    data = load("mnist", data_dir=MNIST.parent)
    spec = data.spec
    assert (spec.train, spec.test, spec.event_shape) == (60_000, 10_000, (1, 28, 28))
    assert (spec.likelihood, spec.binarize, spec.network) == ("bernoulli", "stochastic", "mlp")
    assert float(spec.mean.mean()) == pytest.approx(0.1307, abs=1e-4)
