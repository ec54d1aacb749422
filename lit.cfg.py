"""lit configuration: `lit .` or `lit tests/passes` from the root; tests are the .mlir files with RUN lines."""

import os
import sys

import lit.formats

config.name = "stepwell"  # noqa: F821
config.test_format = lit.formats.ShTest(False)  # noqa: F821
config.suffixes = [".mlir"]  # noqa: F821
config.test_source_root = os.path.dirname(__file__)  # noqa: F821
PROGRAMS = [f for f in os.listdir(os.path.join(config.test_source_root, "runtime")) if f.endswith(".mlir")]  # noqa: F821
config.excludes = ["build", "constraints", "data", "docs", "examples", "Inputs", ".venv", "node_modules", *PROGRAMS]  # noqa: F821
config.test_exec_root = os.path.join(config.test_source_root, "build", "lit")  # noqa: F821
config.environment["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]  # noqa: F821
