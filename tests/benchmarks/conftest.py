"""`benchmarks` lies beside `src` and is not installed: make it importable however pytest starts."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
