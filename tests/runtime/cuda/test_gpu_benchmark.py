"""`benchmarks/gpu.py`: it ends well without a GPU, and on the fake driver each part measures what it says."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_driver import FakeDriver

from stepwell.runtime.cuda.device import device

FILE = Path(__file__).parents[3] / "benchmarks" / "gpu.py"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    spec = importlib.util.spec_from_file_location("benchmark_gpu", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROUND_SECONDS", 0.0)
    monkeypatch.setattr(module, "by_torch", lambda a, b, gpu: (lambda: a @ b, lambda: None))
    return module


def test_without_a_gpu_it_says_so_and_ends_well(tmp_path: Path):
    code = (
        "import sys, runpy\nfrom stepwell.runtime.cuda import driver\n"
        "class NoDriver:\n    def cuInit(self, flags): return (100,)\n"
        f"driver.use(NoDriver())\nsys.argv = ['gpu.py', '--json', {str(tmp_path / 'x.json')!r}]\n"
        f"runpy.run_path({str(FILE)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (
        done.stdout
        == "nothing to measure: CUDA cannot be used here: the driver finds no GPU (target 'cpu' needs none of it)\n"
    )
    assert not (tmp_path / "x.json").exists()


def test_help_names_every_part(benchmark: Any, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        benchmark.main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert all(part in text for part in benchmark.PARTS)
    with pytest.raises(SystemExit) as ended:
        benchmark.main(["--only", "speed"])
    assert ended.value.code == 2


def test_copies_are_held_against_the_memorys_limit(benchmark: Any, simulated: FakeDriver):
    rows = benchmark.copy(device(), 1, elements=4096)
    assert list(rows) == ["stepwell", "driver"]
    for row in rows.values():
        assert row["share"] == pytest.approx(row["bytes_per_second"] / device().properties.bandwidth)


def test_products_are_checked_before_they_are_timed(
    benchmark: Any, simulated: FakeDriver, monkeypatch: pytest.MonkeyPatch
):
    rows = benchmark.gemm(device(), 1, sizes=((32, 32, 32), (20, 7, 13)))
    assert list(rows) == ["f32 32x32x32", "f32 20x7x13", "f16 32x32x32", "f16 20x7x13"]
    for row in rows.values():
        assert row["torch_over_stepwell"] == pytest.approx(row["torch"]["seconds"] / row["stepwell"]["seconds"])
    real = benchmark.product
    monkeypatch.setattr(
        benchmark, "product", lambda m, k, n, dtype: real(m, k, n, dtype) if dtype == "f16" else _Wrong(m, n)
    )
    rows = benchmark.gemm(device(), 1, sizes=((32, 32, 32),))
    assert rows["f32 32x32x32"]["error"].startswith("wrong: off by")
    assert "ERROR wrong" in benchmark.rendered(rows["f32 32x32x32"])


class _Wrong:
    """An executable that gives zeros."""

    def __init__(self, m: int, n: int):
        self._shape = m, n

    def __call__(self, *arrays: Any) -> Any:
        import numpy as np

        import stepwell

        return (stepwell.Array(np.zeros(self._shape, np.float32)),)


def test_calls_count_their_launches(benchmark: Any, simulated: FakeDriver):
    rows = benchmark.calls(device(), 1)
    first, second = (int(name.split()[0]) for name in rows)
    assert second > first >= 1
    assert all(row["seconds"] > 0 for row in rows.values())


def test_programs_are_counted_and_failures_named(
    benchmark: Any,
    simulated: FakeDriver,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    lines = {json.loads(line)["name"]: line for line in (benchmark.DATA / "cases.jsonl").read_text().splitlines()}
    wrong = json.loads(lines["switch"]) | {"name": "wrong", "expected": json.loads(lines["cond_flip"])["expected"]}
    data = tmp_path / "jax"
    data.mkdir()
    for name in ("cond_flip", "switch"):
        for file in benchmark.DATA.glob(f"{name}.*"):
            (data / file.name).write_bytes(file.read_bytes())
    (data / "cases.jsonl").write_text("\n".join([lines["cond_flip"], json.dumps(wrong)]))
    monkeypatch.setattr(benchmark, "DATA", data)
    assert benchmark.main(["--only", "programs", "--json", str(tmp_path / "x.json")]) == 0
    record = json.loads((tmp_path / "x.json").read_text())
    assert record["command"] == f"python benchmarks/gpu.py --only programs --json {tmp_path / 'x.json'}"
    assert record["device"] == {"name": "Fake GPU", "cpu": "sm_90", "driver": "driver 13.1"}
    assert (record["results"]["programs"]["passed"], record["results"]["programs"]["of"]) == (1, 2)
    assert list(record["results"]["programs"]["failures"]) == ["wrong"]
    assert "programs 1/2" in capsys.readouterr().out


class _Doubling:
    """A workload of two results, as `gpu_workloads.py` has them."""

    name, flops, bytes, tolerance = "doubling", 0, 128, 1e-6
    arrays = (np.arange(16, dtype=np.float32),)

    def stablehlo(self) -> str:
        return (
            "func.func @main(%x: tensor<16xf32>) -> (tensor<16xf32>, tensor<16xf32>) {\n"
            "  %r = stablehlo.add %x, %x : tensor<16xf32>\n"
            "  func.return %r, %x : tensor<16xf32>, tensor<16xf32>\n}"
        )


def test_workloads_are_checked_before_they_are_timed(
    benchmark: Any, simulated: FakeDriver, monkeypatch: pytest.MonkeyPatch
):
    seen: list[list[list[float]]] = []

    class Torch:
        def __init__(self, w: Any, gpu: Any):
            self.wait = self.call = lambda: None

        def difference(self, got: list[Any]) -> float:
            seen.append([x.tolist() for x in got])
            return off

    monkeypatch.setattr(benchmark, "Torch", Torch)
    off = 0.0
    row = benchmark.one_workload(device(), _Doubling(), 1)
    assert seen == [[[2.0 * i for i in range(16)], [float(i) for i in range(16)]]]
    assert row["torch_over_stepwell"] == pytest.approx(row["torch"]["seconds"] / row["stepwell"]["seconds"])
    assert row["stepwell"]["bytes_per_second"] == pytest.approx(128 / row["stepwell"]["seconds"])
    assert "GB/s" in benchmark.shown(row, device().properties.bandwidth)
    off = float("nan")
    assert benchmark.one_workload(device(), _Doubling(), 1)["error"] == "wrong: off by nan"
