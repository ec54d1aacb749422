"""The cache of programs and objects: what is found, what is made again, and what goes around it."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from dataclasses import replace

import numpy as np
import pytest

import stepwell
from stepwell import cache, compiler, compiling, kept_texts, native, objects
from stepwell.backends.object import recipe
from stepwell.backends.target import host_target, target_for
from stepwell.cli import main
from stepwell.errors import InvalidProgramError
from stepwell.ir.diagnostics import Diagnostic, SourceLocation, diagnostic_handler, emit
from stepwell.kept_diagnostics import diagnostics_as_json, emit_again
from stepwell.module_text import identity
from stepwell.program_input import NamedText
from stepwell.request import Request, checked_request
from stepwell.runtime.cache_store import Store
from stepwell.source import parse
from stepwell.steps import STEP_NAMES

ADD = """func.func @main(%x: tensor<5xf32>, %y: tensor<5xf32>) -> tensor<5xf32> {
  %0 = stablehlo.add %x, %y : tensor<5xf32>
  return %0 : tensor<5xf32>
}
func.func @other(%x: tensor<3xi8>) -> (tensor<3xi8>, tensor<3xi1>) {
  %0 = stablehlo.compare EQ, %x, %x : (tensor<3xi8>, tensor<3xi8>) -> tensor<3xi1>
  return %x, %0 : tensor<3xi8>, tensor<3xi1>
}
"""
X, Y = np.arange(5, dtype=np.float32), np.full(5, 0.5, np.float32)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache that is in use, by a compiler whose code does not change."""
    monkeypatch.setenv("STEPWELL_CACHE", "1")
    monkeypatch.setenv("STEPWELL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("STEPWELL_CACHE_LIMIT", raising=False)
    monkeypatch.setattr(cache, "code_digest", lambda: "code")
    return tmp_path / "cache"


@pytest.fixture
def no_compiler(monkeypatch):
    """Call it to have every later compilation fail."""

    class Compiled(Exception):
        pass

    def build(*_):
        raise Compiled

    def forbid():
        monkeypatch.setattr(compiler, "build", build)
        return Compiled

    return forbid


def kept(folder):
    return {kind: count for kind, (count, _) in Store(folder, 1 << 30).info().kinds.items()}


# Hits ----------------------------------------------------------------------------------------------------------------


def test_a_program_that_was_compiled_is_found(folder, no_compiler, tmp_path):
    (tmp_path / "add.mlir").write_text(ADD)
    first = stepwell.compile(ADD)
    no_compiler()
    for program in (ADD, ADD.encode(), tmp_path / "add.mlir", str(tmp_path / "add.mlir")):
        found = stepwell.compile(program)
        assert found.signature == first.signature
        np.testing.assert_array_equal(found(X, Y)[0], X + Y)


def test_results_of_each_kind_and_other_entries_are_found(folder, no_compiler):
    x = np.array([1, -2, 3], np.int8)
    expected = stepwell.compile(ADD, "other")(x)
    no_compiler()
    for got, want in zip(stepwell.compile(ADD, "other")(x), expected, strict=True):
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)


def test_a_program_that_is_found_shows_its_ir_and_assembly(folder, no_compiler):
    first = stepwell.compile(ADD, opt_level=1)
    no_compiler()
    found = stepwell.compile(ADD, opt_level=1)
    assert [found.ir(step) for step in ("tensor", "device", "llvm")] == [
        first.ir(step) for step in ("tensor", "device", "llvm")
    ]
    assert found.asm() == first.asm()


def test_modules_are_found_by_what_they_say(folder, no_compiler):
    stepwell.compile(parse(ADD))
    forbidden = no_compiler()
    module = parse(ADD)
    found = stepwell.compile(module)
    module.body.block.first_op.detach()
    np.testing.assert_array_equal(found(X, Y)[0], X + Y)
    assert "@main" in found.ir("tensor")
    with pytest.raises(forbidden):
        stepwell.compile(module, "other")


def test_jitted_functions_are_found(folder, no_compiler):
    def function(x):
        return x * 2 + 1

    stepwell.jit(function)(X)
    forbidden = no_compiler()
    np.testing.assert_array_equal(np.asarray(stepwell.jit(function)(X)), X * 2 + 1)
    with pytest.raises(forbidden):
        stepwell.jit(function, cache=False)(X)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("dense<[1.0, 2.0]> : tensor<2xf32>", "dense<[1.0, 2.5]> : tensor<2xf32>"),
        ("dense<0.0> : tensor<2xf32>", "dense<-0.0> : tensor<2xf32>"),
        ("dense<0x7FC00000> : tensor<2xf32>", "dense<0x7FC00001> : tensor<2xf32>"),
        ("dense<1> : tensor<2xi32>", "dense<1> : tensor<2xui32>"),
    ],
)
def test_constants_are_part_of_what_a_module_says(one, other):
    texts = [
        f"func.func @main() -> {c.split(' : ')[1]} {{\n  %0 = stablehlo.constant {c}\n  return %0 : {c.split(' : ')[1]}\n}}"
        for c in (one, other)
    ]
    assert identity(parse(texts[0])) == identity(parse("\n" + texts[0]))
    assert identity(parse(texts[0])) != identity(parse(texts[1]))


def test_a_caller_may_refuse_a_program_that_is_found(folder, no_compiler):
    stepwell.compile(ADD)
    no_compiler()

    def refuse(signature):
        raise InvalidProgramError(f"{len(signature.inputs)} arguments")

    with pytest.raises(InvalidProgramError, match="2 arguments"):
        compiling.compile_request(ADD, Request(), refuse)


def test_what_was_said_is_said_again(folder, no_compiler, monkeypatch, tmp_path):
    def warned(program):
        emit(Diagnostic("warning", SourceLocation(program.name, 2, 8), "slow", hint="think"))
        return parse(program)

    (tmp_path / "one.mlir").write_text(ADD)
    (tmp_path / "two.mlir").write_text(ADD)
    monkeypatch.setattr(compiler, "parse", warned)
    said = []
    with diagnostic_handler(said.append):
        stepwell.compile(tmp_path / "one.mlir")
        no_compiler()
        stepwell.compile(tmp_path / "two.mlir")
    assert [d.render().splitlines()[0] for d in said] == [
        f"{tmp_path}/{name}.mlir:2:8: warning: slow" for name in ("one", "two")
    ]
    assert "stablehlo.add" in said[1].render()


def test_diagnostics_are_kept_whole():
    inner = Diagnostic("note", None, "inner", hint="h")
    whole = Diagnostic("remark", SourceLocation("other.py", 3, 4, 5), "outer", (inner,), None)
    said = []
    with diagnostic_handler(said.append):
        emit_again(diagnostics_as_json([whole], "a.mlir"), NamedText(b"", "b.mlir"))
    assert said == [whole]


# Misses ----------------------------------------------------------------------------------------------------------------


def test_all_that_decides_the_code_is_in_the_key(monkeypatch):
    monkeypatch.setattr(cache, "code_digest", lambda: "code")
    target = target_for("sse4.2")

    def of(text=ADD, machine=target, **options):
        return cache.program_key(text.encode(), checked_request(**options), machine)

    keys = [
        of(),
        of(ADD + " "),
        of(entry="other"),
        of(opt_level=0),
        of(donate=[0]),
        of(donate=[1]),
        of(schedules={"k0": '#kernel.schedule<"loops">'}),
        of(schedules={"k1": '#kernel.schedule<"loops">'}),
        of(machine=target_for("avx2")),
        of(machine=replace(target, cores=99)),
        of(machine=replace(target, l2_bytes=1)),
        of(machine=replace(target, features=target.features + ",+sse4a")),
    ]
    assert of() == keys[0]
    for name, value in (("code_digest", "other"), ("toolchain", "LLVM 1"), ("FORMAT", 9)):
        with monkeypatch.context() as patch:
            patch.setattr(cache, name, value if name == "FORMAT" else lambda value=value: value)
            keys.append(of())
    assert len({*keys}) == len(keys)


def test_all_that_decides_an_object_is_in_its_key():
    target = target_for("sse4.2")
    keys = [
        cache.object_key("a", target, 2),
        cache.object_key("b", target, 2),
        cache.object_key("a", target, 1),
        cache.object_key("a", target_for("avx2"), 2),
        cache.object_key("a", replace(target, features="+sse2"), 2),
    ]
    assert len({*keys}) == len(keys)
    assert recipe(target, 2) == recipe(replace(target, cores=9, l3_bytes=1), 2)


@pytest.mark.parametrize(
    "damage", [lambda data: b"", lambda data: data[:-5], lambda data: data[:90] + b"!" + data[91:]]
)
def test_a_damaged_program_is_made_again(folder, damage):
    stepwell.compile(ADD)
    (path,) = (folder / "programs").rglob("*.entry")
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    np.testing.assert_array_equal(stepwell.compile(ADD)(X, Y)[0], X + Y)
    assert path.read_bytes() == whole


def test_an_entry_of_another_form_is_made_again(folder):
    stepwell.compile(ADD)
    (path,) = (folder / "programs").rglob("*.entry")
    Store(folder, 1 << 30).put("programs", path.stem, {"signature": {}}, [])
    np.testing.assert_array_equal(stepwell.compile(ADD)(X, Y)[0], X + Y)


@pytest.mark.parametrize(
    "text", [ADD, ADD.replace("stablehlo.add %x, %y : tensor<5xf32>", "stablehlo.constant dense<1.0> : tensor<5xf32>")]
)
def test_a_program_that_no_longer_fits_into_memory_is_left_to_the_compiler(folder, no_compiler, monkeypatch, text):
    stepwell.compile(text)
    forbidden = no_compiler()
    stepwell.compile(text)
    monkeypatch.setattr(compiling, "memory_bytes", lambda: 19)
    with pytest.raises(forbidden):
        stepwell.compile(text)


def test_nothing_is_kept_when_the_compilers_code_changed_meanwhile(folder, monkeypatch):
    codes = iter(["before", "before", "after", "after", "after"])
    monkeypatch.setattr(cache, "code_digest", lambda: next(codes))
    stepwell.compile(ADD)
    assert kept(folder)["programs"] == 0


def test_wrong_programs_are_not_kept(folder):
    with pytest.raises(InvalidProgramError):
        stepwell.compile(ADD.replace("add", "ad"))
    assert kept(folder)["programs"] == 0


# Around the cache --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"cache": False},
        {"target": "interpreter"},
        {"verify_each": True},
        {"validate": True},
        {"target": "interpreter", "step": "structured"},
    ],
    ids=str,
)
def test_what_is_not_only_native_code_goes_around(folder, options):
    np.testing.assert_array_equal(stepwell.compile(ADD, **options)(X, Y)[0], X + Y)
    assert kept(folder)["programs"] == 0


@pytest.mark.parametrize(
    ("name", "value"), [("STEPWELL_CACHE", "0"), ("STEPWELL_GUARD", "1"), ("STEPWELL_TARGET", "interpreter")]
)
def test_the_environment_leads_around(folder, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    np.testing.assert_array_equal(stepwell.compile(ADD)(X, Y)[0], X + Y)
    assert kept(folder)["programs"] == 0


def test_dynamic_programs_go_around_and_share_objects(folder):
    dynamic = stepwell.compile(ADD.replace("tensor<5xf32>", "tensor<?xf32>"))
    np.testing.assert_array_equal(dynamic(X, Y)[0], X + Y)
    assert kept(folder)["programs"] == 0
    assert kept(folder)["objects"] > 0


def test_what_users_registered_goes_around(folder):
    text = ADD.replace("stablehlo.add %x, %y", "stablehlo.custom_call @mine(%x, %y)").replace(
        ": tensor<5xf32>\n  return %0 : tensor<5xf32>",
        ": (tensor<5xf32>, tensor<5xf32>) -> tensor<5xf32>\n  return %0 : tensor<5xf32>",
    )
    results = []
    for function in (lambda x, y: x + y, lambda x, y: x - y):
        stepwell.register_custom_call("mine", function)
        try:
            results.append(stepwell.compile(text)(X, Y)[0])
        finally:
            stepwell.unregister_custom_call("mine")
    np.testing.assert_array_equal(results, [X + Y, X - Y])
    assert kept(folder)["programs"] == 0


def test_a_folder_that_is_not_safe_is_said_and_not_used(folder):
    folder.mkdir(mode=0o700)
    folder.chmod(0o777)
    said = []
    with diagnostic_handler(said.append):
        stepwell.compile(ADD)
        stepwell.compile(ADD)
    assert [(d.severity, d.message) for d in said] == [
        ("warning", f"nothing is cached: the folder {folder} may be written by others (mode 0777)")
    ]
    assert not list(folder.iterdir())


def test_a_user_without_a_home_has_no_cache(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STEPWELL_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    said = []
    with diagnostic_handler(said.append):
        stepwell.compile(ADD)
    assert "is relative" in said[0].message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "value"), [("STEPWELL_CACHE", "no"), ("STEPWELL_CACHE_LIMIT", "much"), ("STEPWELL_CACHE_LIMIT", "-1")]
)
def test_settings_that_say_nothing_are_refused(folder, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidProgramError, match=name):
        stepwell.compile(ADD)


def test_the_limit_has_units(monkeypatch):
    for text, size in (("", 2 << 30), ("5", 5), ("3K", 3 << 10), ("7M", 7 << 20), ("2G", 2 << 30)):
        monkeypatch.setenv("STEPWELL_CACHE_LIMIT", text)
        assert cache.any_store().limit == size


# Texts -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def no_lowering(monkeypatch):
    """Call it to have every later lowering fail."""

    class Lowered(Exception):
        pass

    def lower(*_, **__):
        raise Lowered

    def forbid():
        monkeypatch.setattr(native, "lower", lower)
        return Lowered

    return forbid


def test_every_step_of_a_program_that_is_found_is_read_and_not_made_again(folder, no_lowering):
    first = stepwell.compile(ADD, simd="avx2")
    wanted = {step: first.ir(step) for step in (*STEP_NAMES, "llvm", "asm")}
    seen = stepwell.compile(ADD, simd="avx2")
    for step in ("structured", "buffers"):  # kept when they were asked for once
        assert seen.ir(step) == wanted[step]
    no_lowering()
    found = stepwell.compile(ADD, simd="avx2")
    assert found.timings
    assert {step: found.ir(step) for step in wanted} == wanted
    assert found.asm() == wanted["asm"]


def test_a_program_that_is_found_says_what_took_how_long_when_it_was_compiled(folder, no_compiler):
    first = stepwell.compile(ADD).timings
    assert {"plan-kernels", "apply-schedule", "write LLVM IR", "LLVM"} <= set(first)
    no_compiler()
    found = stepwell.compile(ADD).timings
    assert list(found) == [name for name in first if name != "link"]
    assert found == pytest.approx({name: first[name] for name in found}, abs=1e-6)


@pytest.mark.parametrize(
    "damage",
    [
        lambda store, key: store.put("texts", key, {}, []),
        lambda store, key: store.put("texts", key, {"names": ["device", "llvm"]}, [b"no text", b"none"]),
        lambda store, key: store.put("texts", key, {"names": ["device"]}, []),
        lambda store, key: store.put("texts", key, {"names": ["device"]}, [zlib.compress(b"whole")[:-3]]),
        lambda store, key: store.put("texts", key, {"names": ["device"]}, [zlib.compress(b"\xff")]),
        lambda store, key: store.put("texts", key, {"names": 5, "seconds": 5}, [b""]),
        lambda store, key: next(store.folder.glob("texts/*/*")).write_bytes(b"stepwell"),
        lambda store, key: next(store.folder.glob("texts/*/*")).unlink(),
    ],
)
def test_texts_that_are_damaged_or_gone_are_made_again(folder, damage):
    first = stepwell.compile(ADD)
    (path,) = (folder / "programs").rglob("*.entry")
    damage(Store(folder, 1 << 30), path.stem)
    found = stepwell.compile(ADD)
    assert found.ir("device") == first.ir("device")
    assert found.timings == {}


def test_texts_with_large_constants_and_too_long_ones_are_not_kept(folder, monkeypatch, no_lowering):
    numbers = ", ".join(str(i) for i in range(20_000))
    constant = f"func.func @main() -> tensor<20000xi32> {{\n  %0 = stablehlo.constant dense<[{numbers}]> : tensor<20000xi32>\n  return %0 : tensor<20000xi32>\n}}"
    stepwell.compile(constant)
    monkeypatch.setattr(kept_texts, "MOST_BYTES", 5000)
    stepwell.compile(ADD)
    lowered = no_lowering()
    for program in (constant, ADD):
        found = stepwell.compile(program)
        assert found.timings
        with pytest.raises(lowered):
            found.ir("kernels")


@pytest.mark.parametrize("form", [[], ["--json"], ["--emit-schedules"]])
def test_a_program_is_explained_once(folder, tmp_path, monkeypatch, capsys, form):
    paths = [tmp_path / "one.mlir", tmp_path / "two.mlir"]
    for path in paths:
        path.write_text(ADD)
    assert main(["explain", str(paths[0]), *form]) == 0
    first = capsys.readouterr().out

    def explain(*_, **__):
        raise InvalidProgramError("explained again")

    with monkeypatch.context() as patch:
        patch.setattr("stepwell.explanation.explain.explain", explain)
        assert main(["explain", str(paths[0]), *form]) == 0
        assert capsys.readouterr().out == first
        for others in ([str(paths[1])], [str(paths[0]), "--entry", "other"]):  # other places; another function
            assert main(["explain", *others, *form]) == 1
            assert "explained again" in capsys.readouterr().err
    (entry,) = (folder / "explanations").rglob("*.entry")
    Store(folder, 1 << 30).put("explanations", entry.stem, {"forms": ["text", "json", "schedules"]}, [b"", b"!", b"?"])
    assert main(["explain", str(paths[0]), *form]) == 0
    assert capsys.readouterr().out == first


# Objects ---------------------------------------------------------------------------------------------------------------


def test_only_modules_that_are_new_are_compiled(folder, monkeypatch):
    asked = []

    def made(texts, target, opt_level):
        asked.append(list(texts))
        return [f"object of {text}".encode() for text in texts]

    monkeypatch.setattr(objects, "compile_all", made)
    target = host_target()
    assert objects.compile_objects(["a", "b"], target, 2) == [b"object of a", b"object of b"]
    assert objects.compile_objects(["c", "b", "c", "a"], target, 2) == [f"object of {t}".encode() for t in "cbca"]
    assert objects.compile_objects(["a"], target, 1) == [b"object of a"]
    assert objects.compile_objects(["a"], target, 2, cache=False) == [b"object of a"]
    assert asked == [["a", "b"], ["c"], ["a"], ["a"]]


# The compiler's own code -------------------------------------------------------------------------------------------------


def test_changed_files_change_the_digest_and_young_ones_leave_none(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "_places", lambda: [("p", str(tmp_path))])
    files = cache._digest_of_files
    assert files(1 << 62) is None  # no files
    (tmp_path / "inner").mkdir()
    path = tmp_path / "inner" / "a.py"
    path.write_text("1")
    os.utime(path, (1000, 1000))
    (tmp_path / "notes.txt").write_text("not code")
    first = files(2000 * 10**9)
    assert first is not None
    path.write_text("2")
    os.utime(path, (1001, 1001))
    second = files(2000 * 10**9)
    path.rename(path.with_name("b.py"))
    third = files(2000 * 10**9)
    assert len({first, second, third, None}) == 4
    assert files(1001 * 10**9) is None  # changed when the process had begun


def test_linked_folders_are_looked_at_and_those_that_lead_back_are_not(tmp_path, monkeypatch):
    """A checkout may be used through a tree of links (`tools/link_tree.py`)."""
    package, room = tmp_path / "package", tmp_path / "room"
    for folder in (package, room):
        folder.mkdir()
        (folder / "a.py").write_text("1")
        os.utime(folder / "a.py", (1000, 1000))
    (package / "room").symlink_to(room)
    (room / "back").symlink_to(tmp_path)
    (package / "self").symlink_to(package)
    monkeypatch.setattr(cache, "_places", lambda: [("p", str(package))])
    first = cache._digest_of_files(2000 * 10**9)
    assert first is not None
    os.utime(room / "a.py", (1001, 1001))
    assert cache._digest_of_files(2000 * 10**9) not in (first, None)


def test_code_that_changes_while_it_is_loaded_is_trusted_no_more(monkeypatch):
    found = iter(["one", "one", "two", "one"])
    monkeypatch.setattr(cache, "_digest_of_files", lambda before: next(found))
    monkeypatch.setattr(cache, "_scanned", [])
    assert [cache.code_digest(), cache.code_digest()] == ["one", "one"]
    for number, want in ((0, "one"), (1, None), (2, None)):
        monkeypatch.setitem(sys.modules, f"a_new_module_{number}", cache)
        assert cache.code_digest() == want


LIGHT = """
import sys
from stepwell.cli import main
import stepwell.backends.object_worker
assert main(["run", sys.argv[1], "--inputs", sys.argv[2], "--expect", sys.argv[3]]) == 0
heavy = [name for name in sys.modules if name.split(".")[0] == "xdsl" or name.startswith(("stepwell.passes", "stepwell.dialects"))]
print("loaded", heavy[:3])
"""


def test_running_a_program_that_is_found_imports_neither_xdsl_nor_the_compiler(tmp_path, monkeypatch):
    monkeypatch.setenv("STEPWELL_CACHE", "1")
    monkeypatch.setenv("STEPWELL_CACHE_DIR", str(tmp_path / "cache"))
    if cache.code_digest() is None:
        pytest.skip("the compiler's files changed while the tests ran")
    (tmp_path / "add.mlir").write_text(ADD)
    np.savez(tmp_path / "in.npz", X, Y)
    np.savez(tmp_path / "out.npz", X + Y)
    stepwell.compile(ADD)
    command = [sys.executable, "-c", LIGHT, *(str(tmp_path / name) for name in ("add.mlir", "in.npz", "out.npz"))]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "all 1 results match" in output
    assert output.endswith("loaded []\n")
