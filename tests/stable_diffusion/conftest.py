"""Tests here run the other backend as those of the models do."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "models"))
