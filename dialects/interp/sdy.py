"""Interpreter rules of `sdy`: where values are does not change them, and a manual computation runs its body once a device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from xdsl.ir import Operation

from stepwell.dialects import sdy
from stepwell.dialects.interp.processes import Body, Values, World, run_processes
from stepwell.dialects.stablehlo.mesh import Axis, AxisPart, HasMesh
from stepwell.dialects.stablehlo.process_groups import ProcessGrid
from stepwell.ir.interpreter import Interpreter, InterpreterError, Rule

Array = np.ndarray[Any, np.dtype[Any]]


def _forward(interp: Interpreter, op: Operation, args: Values) -> Values:
    del interp, op
    return args


def _number(part: AxisPart, size: int, place: int) -> int:
    """Which of its parts along `part` a place on an axis of a size is in."""
    count = size if part.size is None else part.size
    return place // (size // (part.before * count)) % count


def _window(
    op: sdy.ManualComputationOp,
    sharding: sdy.ShardingAttr,
    shape: Sequence[int],
    axes: Sequence[Axis],
    place: Sequence[int],
) -> tuple[slice, ...]:
    """The part of a tensor that the device at a place of the mesh has."""
    sizes = {axis.name: axis.size for axis in axes}
    places = {axis.name: at for axis, at in zip(axes, place, strict=True)}
    window: list[slice] = []
    for extent, dim in zip(shape, sharding.layout.data.dims, strict=True):
        number, count = 0, 1
        for part in dim.axes:
            if part.name in op.manual_axes.data:
                parts = part.size or sizes[part.name]
                number = number * parts + _number(part, sizes[part.name], places[part.name])
                count *= parts
        step = extent // count
        window.append(slice(number * step, (number + 1) * step))
    return tuple(window)


def _devices(mesh: HasMesh) -> list[tuple[int, tuple[int, ...]]]:
    """(device, its place) for every place of a mesh."""
    shape = tuple(axis.size for axis in mesh.axes)
    devices = range(math.prod(shape)) if mesh.devices is None else mesh.devices
    return list(zip(devices, np.ndindex(*shape), strict=True))


def _manual_computation(interp: Interpreter, op: Operation, args: Values) -> Values:
    assert isinstance(op, sdy.ManualComputationOp)
    mesh = op.mesh()
    if mesh is None:
        raise InterpreterError(op, "its mesh is not known")
    given, returned = op.shardings()
    places = dict(_devices(mesh))
    if sorted(places) != list(range(len(places))):
        raise InterpreterError(op, f"its mesh does not name the devices 0 to {len(places) - 1} once each")

    def body(device: int) -> Body:
        parts = [
            arg[_window(op, sharding, arg.shape, mesh.axes, places[device])] if isinstance(arg, np.ndarray) else arg
            for arg, sharding in zip(args, given, strict=True)
        ]
        return lambda inner: inner.run_block(op.body.block, parts)

    world = World(ProcessGrid(1, len(places)))
    results = run_processes(world, interp.module, interp.rules, [body(device) for device in range(len(places))])
    return tuple(
        _assembled(op, number, [each[number] for each in results], sharding, mesh.axes, places)
        for number, sharding in enumerate(returned)
    )


def _assembled(
    op: sdy.ManualComputationOp,
    number: int,
    parts: Sequence[Any],
    sharding: sdy.ShardingAttr,
    axes: Sequence[Axis],
    places: dict[int, tuple[int, ...]],
) -> Any:
    """The whole result from every device's part; of devices with the same part, the first one's counts."""
    if not isinstance(parts[0], np.ndarray):
        return parts[0]
    first = cast(Array, parts[0])
    shape = cast(Any, op.results[number].type).get_shape()
    whole = np.zeros(shape, first.dtype)
    for device in reversed(range(len(parts))):
        whole[_window(op, sharding, shape, axes, places[device])] = parts[device]
    return whole


RULES: dict[str, Rule] = {
    "sdy.manual_computation": _manual_computation,
    "sdy.reshard": _forward,
    "sdy.return": _forward,
    "sdy.sharding_constraint": _forward,
}
