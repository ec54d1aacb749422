"""Lets the tests here import the passes that are wrong on purpose."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
