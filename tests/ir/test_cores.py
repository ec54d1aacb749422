"""How many cores a process may use: its affinity mask, and what quotas of its groups pay for, read from files of every layout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stepwell.ir import cores
from stepwell.ir.cores import cpu_quota, usable_cores

V2 = "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 {root} /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "33 31 0:30 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
)
V1_GROUP = "9:cpuset:/elsewhere\n8:cpu,cpuacct:/docker/abc\n0::/docker/abc\n"


@pytest.fixture
def machine(tmp_path):
    """Writes the files of a machine; gives its root."""

    def write(mounts: str, group: str, **files: str) -> str:
        process = tmp_path / "proc" / "self"
        process.mkdir(parents=True)
        (process / "mountinfo").write_text("22 27 0:21 / /proc rw,relatime - proc proc rw\n" + mounts)
        (process / "cgroup").write_text(group)
        for name, text in files.items():
            path = tmp_path / "sys/fs/cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return str(tmp_path)

    return write


@pytest.mark.parametrize(
    ("limit", "quota"),
    [
        ("max 100000\n", None),
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("50000 100000\n", 1),
        ("1000 1000000\n", 1),
        ("6400000 100000\n", 64),
        ("200001 100000\n", 3),
    ],
)
def test_the_quota_of_a_group_in_whole_cores(machine, limit, quota):
    assert cpu_quota(machine(V2, "0::/a\n", **{"a/cpu.max": limit})) == quota


@pytest.mark.parametrize(
    ("inner", "outer", "quota"), [("max", "300000", 3), ("200000", "400000", 2), ("800000", "400000", 4)]
)
def test_the_tightest_of_the_groups_around_counts(machine, inner, outer, quota):
    files = {"pod/cpu.max": f"{outer} 100000", "pod/box/cpu.max": f"{inner} 100000", "other/cpu.max": "100000 100000"}
    assert cpu_quota(machine(V2, "0::/pod/box\n", **files)) == quota


def test_a_container_sees_its_own_group_as_the_root(machine):
    """With a namespace of its own a process is in `/`, whose files are those of its group."""
    assert cpu_quota(machine(V2, "0::/\n", **{"cpu.max": "400000 100000"})) == 4


def test_a_group_outside_of_what_is_mounted_is_the_mounted_one(machine):
    assert cpu_quota(machine(V2, "0::/../../other\n", **{"cpu.max": "400000 100000", "other/cpu.max": "1 1"})) == 4


@pytest.mark.parametrize(
    ("root", "folder"),
    [("/", "cpu,cpuacct/docker/abc"), ("/docker/abc", "cpu,cpuacct"), ("/docker", "cpu,cpuacct/abc")],
)
@pytest.mark.parametrize(("limit", "quota"), [("-1", None), ("250000", 3), ("0", None)])
def test_the_quota_of_a_group_of_the_first_version(machine, root, folder, limit, quota):
    """Wherever its folder is: the mount says which group it shows."""
    files = {f"{folder}/cpu.cfs_quota_us": f"{limit}\n", f"{folder}/cpu.cfs_period_us": "100000\n"}
    assert cpu_quota(machine(V1.format(root=root), V1_GROUP, **files)) == quota


def test_both_versions_at_once_are_both_obeyed(machine):
    files = {
        "cpu,cpuacct/cpu.cfs_quota_us": "500000",
        "cpu,cpuacct/cpu.cfs_period_us": "100000",
        "unified/docker/cpu.max": "300000 100000",
    }
    assert cpu_quota(machine(V1.format(root="/"), V1_GROUP, **files)) == 3


def test_a_mount_point_with_a_blank_is_found(machine):
    mounts = "31 23 0:28 / /sys/fs/cgroup/my\\040groups rw - cgroup2 cgroup2 rw\n"
    assert cpu_quota(machine(mounts, "0::/a\n", **{"my groups/a/cpu.max": "200000 100000"})) == 2


@pytest.mark.parametrize("text", ["", "nonsense", "100000", "100000 0", "-5 100000", "1 2 3", "\x00\xff"])
def test_what_cannot_be_read_is_no_limit(machine, text):
    assert cpu_quota(machine(V2, "0::/a\n", **{"a/cpu.max": text})) is None


def test_no_groups_are_no_limit(machine, tmp_path):
    assert cpu_quota(str(tmp_path / "nothing")) is None
    assert cpu_quota(machine("broken line\n- -\n", "broken\n\n1:2\n")) is None


def test_this_machine_has_files_that_can_be_read():
    quota = cpu_quota()
    assert quota is None or quota >= 1
    assert usable_cores() >= 1


@pytest.mark.parametrize(("mask", "quota", "count"), [(64, 2, 2), (4, 16, 4), (3, None, 3), (1, 1, 1)])
def test_a_process_uses_no_more_than_mask_and_quota_allow(monkeypatch, mask, quota, count):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(mask)))
    monkeypatch.setattr(cores, "cpu_quota", lambda: quota)
    assert usable_cores() == count


def test_machines_without_masks_count_their_processors(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    monkeypatch.setattr(cores, "cpu_quota", lambda: 4)
    assert usable_cores() == 4
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores() == 1


def test_nobody_else_counts_cores():
    """One place says how many there are, so that code, pool and helpers agree."""
    root = Path(__file__).parents[2]
    folders = ("ir", "runtime", "backends", "passes", "dialects", "frontends", "src/stepwell")
    files = [path for folder in folders for path in sorted((root / folder).rglob("*.py"))]
    assert len(files) > 200
    found = [p.name for p in files if any(name in p.read_text() for name in ("sched_getaffinity", "cpu_count"))]
    assert found == ["cores.py"]
