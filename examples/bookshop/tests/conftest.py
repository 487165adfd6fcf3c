"""pytest is started in the bookshop's folder, whose modules it imports."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
