"""Imported first by every benchmark: `sandbox` is the package of that name, not the benchmark beside this file."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
