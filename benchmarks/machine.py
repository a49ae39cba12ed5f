"""The machine in words, and how busy others keep it."""

from __future__ import annotations

import os
import platform
from pathlib import Path

_FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16")
_FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


def describe(**versions: str) -> str:
    """Processor, cores, cache, memory, instruction sets, system, and the versions given."""
    info = _processor()
    parts = [info.get("model name", platform.processor() or platform.machine())]
    if "cpu family" in info:
        parts[0] += f" (family {info['cpu family']}, model {info['model']})"
    parts.append(f"{cores()} cores")
    cache = _cache()
    if cache:
        parts.append(f"last-level cache {cache}")
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        parts.append(f"{size / 2**30:.0f} GiB")
    known = [flag for flag in _FLAGS if flag in info.get("flags", "").split()]
    if known:
        parts.append(" ".join(known))
    parts.append(f"{platform.system()}, Python {platform.python_version()}")
    parts += [f"{name} {version}" for name, version in versions.items()]
    return "; ".join(parts)


def cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def busy_seconds() -> float | None:
    """CPU seconds that the whole machine has been busy since it started; None where unknown.

    Time stolen by other guests of the same host counts as busy: it is lost all the same.
    """
    try:
        line = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
    except OSError:
        return None
    spent = dict(zip(_FIELDS, map(int, line.split()[1:]), strict=False))
    busy = sum(spent.values()) - spent["idle"] - spent["iowait"]
    return busy / os.sysconf("SC_CLK_TCK")


def _processor() -> dict[str, str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _cache() -> str:
    indices = sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"))
    return indices[-1].read_text(encoding="ascii").strip() if indices else ""
