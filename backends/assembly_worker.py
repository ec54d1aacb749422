"""The child process that makes assembly of GPUs: `python -m stepwell.backends.assembly_worker`.

It reads requests from its standard input and writes answers to its standard output, each one line of JSON: LLVM IR and a
processor in, `{"assembly": ...}` or `{"error": ...}` out. What LLVM aborts on ends the process; its last words are on standard error.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from llvmlite import binding as llvm

from stepwell.backends.optimizer import optimize


def make_assembly(text: str, triple: str, cpu: str, features: str, opt: int) -> str:
    """The assembly of an LLVM module.

    Vectors are the program's own; loops of few iterations are unrolled, since only then a thread's memory is registers.

    Raises:
        RuntimeError: the module is malformed.
    """
    target = llvm.Target.from_triple(triple)
    machine = target.create_target_machine(cpu=cpu, features=features, opt=opt)
    module = llvm.parse_assembly(text, context=llvm.create_context())
    module.triple = triple
    module.data_layout = str(machine.target_data)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=min(opt, 2))
    options.loop_vectorization = False
    options.slp_vectorization = False
    optimize(module, machine, options)
    return machine.emit_assembly(module)


def answer(request: dict[str, Any]) -> dict[str, str]:
    """What the worker answers to a request."""
    try:
        what = (request[name] for name in ("text", "triple", "cpu", "features", "opt"))
        return {"assembly": make_assembly(*what)}
    except RuntimeError as error:
        return {"error": str(error)}


def serve() -> None:
    """Answer requests until standard input ends."""
    # How much of a block's memory a kernel takes is the schedule's to decide; a thread's own is not put there.
    llvm.set_option("", "--disable-promote-alloca-to-lds")
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    for line in iter(sys.stdin.readline, ""):
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
