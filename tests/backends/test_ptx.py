"""PTX is made in a child process that may die; ptxas's words become resources and errors."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from stepwell.backends import assembly, ptx
from stepwell.backends.nvptx import gpu_target
from stepwell.backends.ptx import KernelResources, assemble, compile_ptx, format_resources, parse_resources
from stepwell.ir.errors import InternalError, UnsupportedError

TARGET = gpu_target("sm_90")
EMPTY = 'source_filename = "k7"\n\ndefine ptx_kernel void @phase0() {\n  ret void\n}\n'
ABORTING = """source_filename = "k7"

define ptx_kernel void @phase0(ptr addrspace(1) %p) {
  %x = load float, ptr addrspace(1) %p
  %y = call float @llvm.log.f32(float %x)
  store float %y, ptr addrspace(1) %p
  ret void
}
declare float @llvm.log.f32(float)
"""


def test_a_module_becomes_ptx_of_the_processor_and_version_asked_for():
    text = compile_ptx(EMPTY, gpu_target("sm_80", ptx=83))
    assert ".version 8.3" in text
    assert ".target sm_80" in text
    assert ".visible .entry phase0" in text


def test_an_abort_of_llvm_is_an_error_and_the_next_module_compiles():
    with pytest.raises(InternalError, match="@k7 on sm_90") as caught:
        compile_ptx(ABORTING, TARGET)
    assert "log" in str(caught.value)
    assert "Stack dump" not in str(caught.value)
    assert ".entry phase0" in compile_ptx(EMPTY, TARGET)


def test_malformed_text_is_an_error_and_the_worker_lives():
    compile_ptx(EMPTY, TARGET)
    before = assembly._worker()._process
    with pytest.raises(InternalError, match="expected"):
        compile_ptx('source_filename = "k7"\n\nnonsense', TARGET)
    compile_ptx(EMPTY, TARGET)
    assert assembly._worker()._process is before


def test_a_killed_worker_is_started_again():
    compile_ptx(EMPTY, TARGET)
    process = assembly._worker()._process
    process.kill()
    process.wait()
    assert ".entry phase0" in compile_ptx(EMPTY, TARGET)


def test_a_forked_process_gets_a_worker_of_its_own():
    program = textwrap.dedent(f"""
        import os
        from stepwell.backends import ptx
        from stepwell.backends.nvptx import gpu_target
        text = {EMPTY!r}
        first = ptx.compile_ptx(text, gpu_target("sm_90"))
        child = os.fork()
        if child == 0:
            os._exit(0 if ptx.compile_ptx(text, gpu_target("sm_90")) == first else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert ptx.compile_ptx(text, gpu_target("sm_90")) == first
    """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=600, check=False)
    assert (done.returncode, done.stderr) == (0, "")


VERBOSE = """ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'phase0' for 'sm_90'
ptxas info    : Function properties for phase0
    16 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 32 registers, used 1 barriers, 16 bytes cumulative stack size, 1024 bytes smem
ptxas info    : Compile time = 10.229 ms
ptxas info    : Compiling entry function 'phase1' for 'sm_90'
ptxas info    : Function properties for phase1
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 8 registers, used 0 barriers
"""


def test_resources_are_read_kernel_by_kernel():
    first, second = parse_resources(VERBOSE)
    assert first == KernelResources("phase0", 32, 1024, 16, 8, 12, 1)
    assert second == KernelResources("phase1", 8, 0, 0, 0, 0, 0)


def test_resources_are_shown_as_a_table():
    lines = format_resources(parse_resources(VERBOSE)).splitlines()
    assert lines[0].split("  ")[0] == "kernel"
    assert lines[1].split() == ["phase0", "32", "1024", "16", "8", "12", "1"]
    assert len({len(line) for line in lines}) == 1


def test_without_ptxas_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(ptx, "ptxas", lambda: None)
    with pytest.raises(UnsupportedError, match="nvidia-cuda-nvcc"):
        assemble(compile_ptx(EMPTY, TARGET), TARGET)


@pytest.mark.skipif(ptx.ptxas() is None, reason="no ptxas here")
def test_what_ptxas_refuses_is_an_error_with_its_words():
    with pytest.raises(InternalError, match="Parsing error"):
        assemble(".version 7.8\n.target sm_90\n.address_size 64\nnonsense\n", TARGET)


@pytest.mark.skipif(ptx.ptxas() is None, reason="no ptxas here")
def test_spills_are_reported():
    values = range(64)
    loads = "\n".join(f"  %x{i} = load volatile i32, ptr addrspace(1) %p" for i in values)
    stores = "\n".join(f"  store volatile i32 %x{i}, ptr addrspace(1) %p" for i in values)
    text = f'define ptx_kernel void @k(ptr addrspace(1) %p) "nvvm.maxnreg"="24" {{\n{loads}\n{stores}\n  ret void\n}}\n'
    (kernel,) = assemble(compile_ptx(text, TARGET), TARGET).resources
    assert kernel.registers <= 24
    assert kernel.spill_stores > 0
    assert kernel.spill_loads > 0


def test_a_toolkit_elsewhere_is_found(monkeypatch, tmp_path):
    program = tmp_path / "bin" / "ptxas"
    program.parent.mkdir()
    program.touch()
    monkeypatch.setattr(ptx.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(ptx.shutil, "which", lambda _: None)
    monkeypatch.setitem(os.environ, "CUDA_HOME", str(tmp_path))
    assert ptx.ptxas.__wrapped__() == str(program)
