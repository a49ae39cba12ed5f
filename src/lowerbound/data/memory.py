"""How much memory data may take."""

from __future__ import annotations

import os
from pathlib import Path

import torch

SHARE = 0.4  # of what is free: the model, its optimizer and the system need the rest


def host_budget() -> int:
    """Bytes of main memory that data may take: a share of what is free to this process."""
    return int(SHARE * _free())


def device_budget(device: torch.device) -> int:
    """Bytes on a device that data may take."""
    if device.type == "cuda":
        return int(SHARE * torch.cuda.mem_get_info(device)[0])
    return host_budget()


def _free() -> int:
    found = [_physical()]
    # A container's limit counts, not the machine's memory.
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        (
            "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        ),
    ):
        try:
            found.append(int(Path(limit).read_text()) - int(Path(used).read_text()))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return max(0, min(found))


def _physical() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        # No word on what is free outside Linux: half of what there is.
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (ValueError, OSError, AttributeError):
        return 4 << 30
