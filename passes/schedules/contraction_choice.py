"""Choosing the tiles of a contraction from shapes and caches: register tile, blocks of the sums, packing, and tasks.

The inner loop does `mr` rows by `nr` columns of the result in registers. A block of `kc` terms of the sums is so long that
the rows of A that a tile reads stay in the L1 cache while B is passed over them, and `block` panels of `nr` columns of B are
as many as stay in the L2 cache. An operand is packed, by the task that uses it, where that costs less than reading it in place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

from xdsl.dialects.builtin import TensorType
from xdsl.dialects.linalg import ops as linalg
from xdsl.ir.affine import AffineExpr

from stepwell.dialects import kernel
from stepwell.ir.dtypes import byte_width
from stepwell.ir.machine import MachineDescription, machine_of
from stepwell.passes.schedules.contraction_analysis import Contraction
from stepwell.passes.schedules.contraction_words import RATES, terms_at_once, words_of
from stepwell.passes.schedules.lanes import MOST_APART, is_tile
from stepwell.passes.schedules.nest import coefficient, is_contiguous, linear_form, strides_of, uses_dim
from stepwell.passes.schedules.parameters import too_many_sums
from stepwell.passes.schedules.plan import BYTE, WIDE_BYTES
from stepwell.passes.schedules.staging import border_of

PAGE = 4096
"""Bytes after which addresses fall into the same sets of an L1 cache."""
WAYS = 8
"""Lines that a set of an L1 cache holds; some are for others."""
PAGES = 64
"""Pages whose places a core knows at once."""
FOLLOWED = 4
"""Lines far apart that hardware follows at once for certain."""
FEW = 4
"""Rows from which on products take longer than reading B once, were it near."""
FEW_FAR = 16
"""Products of a number of B, or of so many numbers as one of the sums has bytes for, that take no longer where B comes from memory."""
FEW_LINES = 7
"""Rows up to which the lines of a tile are foreseen by hardware wherever they come from."""
SHORT = 16
"""Terms of sums up to which large results take longer to write than to make."""
FEW_TERMS = 4
"""Terms of sums up to which large results take as long as writing them, line after line."""
STREAMED = 32
"""Rows of a large B that are read in place at once."""
MEDIUM = 512
"""Terms of sums up to which lines of large results come too late when they are asked for as they are written."""
SHORT_SUMS, LONG_LINE = 192, 64
"""Terms of sums over a window up to which turning results takes long beside them, and points of a line that are two tiles."""
FULL = 14
"""Rows of two wide vectors whose sums leave three registers: worth it where B is read a third less often."""
PRODUCTS_PER_LANE = 4.5
"""Products that a lane adds up in a nanosecond, at best."""
TASK = 10_000
"""Nanoseconds of products that are worth a task: they say well how long it takes, and a thread that is awake has one in a microsecond."""
LINE_START = 120
"""Nanoseconds until memory is read at its speed: what each line of a B that is read in place costs besides."""
WAIT = 0.12
"""How much longer all tasks take, where each core has one, since a core does something else for a while."""
COPY_A, COPY_B, COPY_NEAR = 0.4, 0.8, 0.2
"""Nanoseconds to pack an element: of A, mostly row by row into the L1 cache, of B into the L2 cache, and of a B that is there already."""
READ_A = 0.1
"""Nanoseconds that tiles wait, for each element of an A that comes from afar, in every pass over its rows."""


@dataclass(frozen=True)
class Tiling:
    """The numbers of a contraction's schedule."""

    mr: int
    nr: int
    unroll: int
    pack_a: bool
    pack_b: bool
    block: int
    """Panels of B worked on together, so that they stay in the L2 cache."""
    kc: int
    """Terms of the sums done in one pass over the result."""
    vector_bytes: int
    word: int = 1
    """Terms of the sums that are taken at once, packed in a word."""
    k_split: int = 1
    """Parts of the sums, each a task's, that are added up then."""
    prefetch: int = 0
    """Bytes of a line of a tile, where its results are fetched while its terms are added; 0: they are not."""

    def numbers(self) -> dict[str, int]:
        """As parameters of a schedule."""
        return {
            "grain": TASK,
            "mr": self.mr,
            "nr": self.nr,
            "k_unroll": self.unroll,
            "pack_a": int(self.pack_a),
            "pack_b": int(self.pack_b),
            "kc": self.kc,
            "block": self.block,
            **({"word": self.word} if self.word > 1 else {}),
            **({"k_split": self.k_split} if self.k_split > 1 else {}),
            **({"prefetch": self.prefetch} if self.prefetch else {}),
        }


def turned(found: Contraction) -> Contraction:
    """The contraction with rows and columns exchanged, where its columns are read through a window and its rows are not.

    Points of a window are then numbers that rows of weights are multiplied with: a line of an image is seldom as long as
    vectors want, channels are.
    """
    found = _channels_inside(found)
    m, n, accumulator = found.m, found.n, found.accumulator
    if m is None or any(d for d in found.outer if not uses_dim(found.maps[1].results, d)):
        return found
    window = [e for e in found.maps[1].results if uses_dim([e], n)]
    if _lines_are_copied(found) and found.sizes[n] >= LONG_LINE:
        return found
    if len(window) != 1 or not any(uses_dim(window, d) for d in found.reduced) or found.a_casts or found.b_casts:
        return found
    exchanged = replace(
        found,
        a=found.b,
        b=found.a,
        m=n,
        n=m,
        # Innermost what moves from image to image: neighbours in a window read the same numbers, in registers for too long.
        reduced=tuple(sorted(found.reduced, key=lambda d: not _in_window(found.maps[1].results, d))),
    )
    whole = found.sizes[m] * byte_width(accumulator) >= machine_of(found.op).line_bytes and starts_uniform(found)
    return exchanged if whole and (a_is_direct(exchanged) or rows_apart(exchanged)) else found


def _lines_are_copied(found: Contraction) -> bool:
    """Whether B are lines of an image that are copied into its border, so few for a line of the result that they stay near.

    Turning results would take longer than what sums of so few terms gain by it.
    """
    return found.depth <= SHORT_SUMS and border_of(found.op.inputs[found.b]) is not None


def _channels_inside(found: Contraction) -> Contraction:
    """The sums over taps around those over channels, where these are nearer to each other in the image than its many lines are.

    Weights seldom lie in that order, and are gathered as they are packed: hardware foresees a few lines as well.
    """
    exprs, moves = found.maps[0].results, _moves(found)
    windows = [d for d in found.reduced if _in_window(exprs, d)]
    farthest = max((abs(moves[d]) for d in windows), default=0)
    if prod(found.sizes[d] for d in windows if abs(moves[d]) >= PAGE) <= FOLLOWED:
        return found
    inside = [d for d in found.reduced if d not in windows and 0 < abs(moves[d]) < farthest]
    order = (*(d for d in found.reduced if d not in inside), *inside)
    return found if order == found.reduced else replace(found, reduced=order)


def _in_window(exprs: Sequence[AffineExpr], dim: int) -> bool:
    """Whether an index is a sum of this dim and others."""
    return any(dim in e.used_dims() and len(e.used_dims()) > 1 for e in exprs)


def _lies_near(found: Contraction) -> bool:
    """Whether the rows of A are points of a line of an image: as near to each other as packed ones would be."""
    exprs = found.maps[0].results
    if found.m is None or not any(_in_window(exprs, d) for d in found.reduced):
        return False
    apart = rows_apart(found)
    near = is_contiguous(exprs, found.m) or (apart is not None and apart[0] == len(exprs) - 1)
    return near and (
        found.rows <= 4 * FULL or border_of(found.op.inputs[found.a]) is not None or not _on_many_pages(found)
    )


def _on_many_pages(found: Contraction) -> bool:
    """Whether the terms of a row of A lie on more pages than a core knows the places of at once, and in few sets of its cache."""
    return prod(found.sizes[d] for d, move in _moves(found).items() if abs(move) >= PAGE // 2) > PAGES


def _moves(found: Contraction) -> dict[int, int]:
    """Bytes by which steps along the dims of the sums move in A; 0 where that is not constant."""
    kind = found.op.inputs[found.a].type
    assert isinstance(kind, TensorType)
    strides = [step * byte_width(kind.element_type) for step in strides_of(kind.get_shape())]
    places = list(zip(found.maps[0].results, strides, strict=True))
    return {d: sum((coefficient(e, d) or 0) * step for e, step in places) for d in found.reduced}


def starts_uniform(found: Contraction) -> bool:
    """Whether all sums start from one number."""
    return isinstance(found.op.outputs[0].owner, linalg.FillOp)


def choose_tiling(found: Contraction, machine: MachineDescription) -> Tiling | str:
    """Tile sizes and packing for a machine, or why other loops do better."""
    width = byte_width(found.accumulator)
    if machine.vector_bytes == 0:
        return "scalar code"
    if 0 in found.sizes:
        return "an empty space"
    columns, depth = found.sizes[found.n], found.depth
    if columns < 4 or depth * columns * found.rows < 64:
        return "too small for tiles"
    word = terms_at_once(found, machine)
    # A single row times words would want B turned: lanes along the sums do as well, and read it where it is.
    if found.rows < (FEW if word == 1 else 2) and not b_is_direct(found):
        return "few rows and columns that are not contiguous: dot products"
    lanes = max(1, machine.vector_bytes // width)
    if reads_once(found, machine):
        return _few_rows(found, machine, lanes)
    small = _stays_near(found, machine, word)
    mr, nr = _register_tile(found, machine, lanes, word, small)
    if found.rows < FEW and not b_is_direct(found):
        nr = lanes  # few lines of B side by side
    width //= word
    again = -(-found.rows // mr) * prod(found.sizes[d] for d in found.outer if not uses_dim(found.maps[1].results, d))
    pack_b = must_pack_b(found) or bool(found.b_casts) or (again >= 4 and not _lines_are_copied(found))
    pack_a = must_pack_a(found, word) or (
        columns >= 4 * nr and _better_packed(found, mr, small) and not _lies_near(found)
    )
    kc = _terms(found, machine, (mr, nr), (pack_a, pack_b), width)
    if found.rows < FEW and b_is_direct(found):
        kc = min(kc, STREAMED)
    panel_bytes = kc * nr * width
    block = max(1, machine.l2_bytes * 5 // 8 // max(1, panel_bytes))
    tile = Tiling(mr, nr, _unroll(found, word, mr, nr // lanes), pack_a, pack_b, block, kc, machine.vector_bytes, word)
    waits = _waits_for_results(found, machine) or _waits_for_rows(found, tile, machine)
    return replace(tile, prefetch=nr * byte_width(found.accumulator)) if waits else tile


def _waits_for_results(found: Contraction, machine: MachineDescription) -> bool:
    """Whether tiles take so little time that they wait for the lines of their results, which come from memory."""
    rows = is_contiguous(found.maps[2].results, found.n) and len(found.reduced) == 1
    return rows and found.depth <= MEDIUM and _leaves_caches(found, machine)


def _stays_near(found: Contraction, machine: MachineDescription, word: int) -> bool:
    """Whether both factors stay in the L2 cache."""
    width = byte_width(found.accumulator) // word
    return found.depth * (found.rows + found.sizes[found.n]) * width <= machine.l2_bytes


def _waits_for_rows(found: Contraction, tiling: Tiling, machine: MachineDescription) -> bool:
    """Whether tiles read rows of A where they are, and these come from afar: fetching the next ones early pays."""
    kind = found.op.inputs[found.a].type
    if tiling.pack_a or tiling.word > 1 or found.rows < 4 * tiling.mr or not isinstance(kind, TensorType):
        return False
    far = prod(kind.get_shape()) * byte_width(kind.element_type) > machine.l2_bytes
    return far and len(found.reduced) == 1 and is_contiguous(found.maps[0].results, found.reduced[0])


def _better_packed(found: Contraction, mr: int, small: bool) -> bool:
    """Whether many tiles read rows of A quicker from a copy.

    Rows may share sets of the cache. Those that lie apart are next to each other where the image is copied into its border. Few rows
    whose terms follow each other are streams that hardware foresees, also where A stays in no near cache.
    """
    if rows_apart(found) is not None:
        return False
    if shares_sets(found, mr) or _terms_share_sets(found):
        return True
    return not small and (mr > FEW_LINES or not is_contiguous(found.maps[0].results, found.reduced[-1]))


def better_by_lines(found: Contraction, machine: MachineDescription) -> str:
    """Why sums that could have tiles are better done line by line of their results, or nothing.

    Sums of few terms take less time than writing them, and the lines of a tile are too many places to write at once.
    """
    if found.depth > FEW_TERMS or found.rows < FEW or not b_is_direct(found) or terms_at_once(found, machine) > 1:
        return ""
    (result,) = found.op.results
    alone = all(isinstance(use.operation, kernel.ReturnOp) for use in result.uses)
    if not alone or not is_contiguous(found.maps[2].results, found.n) or not _leaves_caches(found, machine):
        return ""
    return "sums of few terms, whose results leave the caches, are written line by line"


def _leaves_caches(found: Contraction, machine: MachineDescription) -> bool:
    """Whether there are more results than a core's caches hold."""
    kind = found.op.results[0].type
    assert isinstance(kind, TensorType)
    return prod(kind.get_shape()) * byte_width(found.accumulator) > machine.l2_bytes


def tiling_of(found: Contraction, numbers: Mapping[str, int], machine: MachineDescription) -> Tiling | str:
    """The tiling that a schedule's numbers describe, chosen where they do not say, corrected where a layout leaves no choice."""
    chosen = choose_tiling(found, machine)
    if not isinstance(chosen, Tiling):
        return chosen
    word = numbers.get("word", chosen.word)
    word = word if words_of(found, word) is not None else 1
    tile = Tiling(
        mr=min(numbers.get("mr", chosen.mr), found.rows),
        nr=numbers.get("nr", chosen.nr),
        unroll=_whole_words(min(numbers.get("k_unroll", chosen.unroll), found.sizes[found.reduced[-1]]), word),
        pack_a=bool(numbers.get("pack_a", chosen.pack_a)) or must_pack_a(found, word),
        pack_b=bool(numbers.get("pack_b", chosen.pack_b)) or must_pack_b(found),
        block=max(1, numbers.get("block", chosen.block)),
        kc=max(1, min(numbers.get("kc", chosen.kc), found.depth))
        if is_contiguous(found.maps[2].results, found.n)
        else found.depth,
        vector_bytes=chosen.vector_bytes,
        word=word,
        k_split=min(numbers.get("k_split", 1), found.sizes[found.reduced[0]]),
        prefetch=numbers.get("prefetch", chosen.prefetch),
    )
    lanes = machine.vector_bytes // byte_width(found.accumulator)
    return too_many_sums(tile.mr, tile.nr, lanes, tile.unroll // word) or tile


def _whole_words(terms: int, word: int) -> int:
    return -(-terms // word) * word


def reads_once(found: Contraction, machine: MachineDescription) -> bool:
    """Whether so few rows of A share B that reading it is what takes time: all products with a number of it are done at once."""
    if terms_at_once(found, machine) > 1 or not b_is_direct(found):
        return False
    if found.rows < FEW:
        return True
    width = _width_of(found, found.b)
    line = found.sizes[found.n] * width
    if line < PAGE // 2 or not is_contiguous(found.maps[2].results, found.n):
        return False
    # What is a few times as large as the second cache is in the third one, mostly, and half as long in coming.
    most = FEW_FAR if found.depth * line > 8 * machine.l2_bytes else FEW_FAR // 2
    return found.depth * line > machine.l2_bytes and found.rows * byte_width(found.accumulator) <= most * width


def _few_rows(found: Contraction, machine: MachineDescription, lanes: int) -> Tiling:
    """B is read once, whole lines of a few of its rows at a time; the result waits in the L1 cache."""
    columns, width = found.sizes[found.n], byte_width(found.accumulator)
    most = _most_rows(machine)
    mr = -(-found.rows // -(-found.rows // most))
    # Pieces of lines as long as where numbers need no conversion, if there are registers for the sums.
    vectors = 2 * max(1, width // _width_of(found, found.b))
    vectors = vectors if (mr + 1) * vectors < machine.registers else 2
    nr = min(vectors * lanes, whole_vectors(columns, lanes))
    unroll = min(8, found.sizes[found.reduced[-1]])
    kc = unroll if columns > nr else found.depth
    block = max(1, machine.l1_bytes // 2 // (nr * width * found.rows))
    return Tiling(mr, nr, unroll, must_pack_a(found), must_pack_b(found), block, kc, machine.vector_bytes)


def _most_rows(machine: MachineDescription) -> int:
    """Rows of a tile of two vectors that registers have room for."""
    return 13 if machine.vector_bytes >= WIDE_BYTES else 6 if machine.vector_bytes > 16 else 4


def _width_of(found: Contraction, position: int) -> int:
    """Bytes of a number of an operand."""
    kind = found.op.inputs[position].type
    assert isinstance(kind, TensorType)
    return byte_width(kind.element_type)


def _register_tile(
    found: Contraction, machine: MachineDescription, lanes: int, word: int, small: bool
) -> tuple[int, int]:
    """Rows and columns of the tile: sums in as many registers as there are, less those for a row of B and a number of A.

    Four vectors of columns take fewer instructions a product than two, which counts where a thread shares its core or waits for
    what does not stay near; tiles of two read half as much of B, which counts where all else is near.
    """
    columns = found.sizes[found.n]
    most, per_row = _most_rows(machine), 2
    if machine.vector_bytes == 16 and machine.registers == 32:
        most, per_row = 6, 4
    narrow = 2 * lanes < columns <= 4 * lanes and shares_sets(found, most)
    far = _is_plain(found) and word == 1 and not small
    in_window = word == 1 and _reads_channels(found) and _only_few_rows_fit(found, machine)
    wide = machine.vector_bytes >= WIDE_BYTES and columns > 2 * lanes
    wide = wide and (narrow or found.rows <= 7 or far or in_window)
    if not is_contiguous(found.maps[2].results, found.n):
        # All terms are done at once: a panel of them is to stay in the L2 cache.
        wide = wide and 4 * machine.vector_bytes * found.depth <= machine.l2_bytes * 5 // 8
    if wide:
        most, per_row = max(6, found.rows) if found.rows <= 7 else 6, 4
    elif machine.vector_bytes >= WIDE_BYTES and found.depth <= SHORT and columns > 4 * lanes:
        # Writing the results takes longer than making them: few lines of them at once, longer pieces of each.
        most, per_row = (4, 4) if _leaves_caches(found, machine) else (most, per_row)
    nr = min(per_row * lanes, whole_vectors(columns, lanes))
    if word == 1 and most == FULL - 1 and 3 * -(-found.rows // FULL) <= 2 * -(-found.rows // most):
        most = FULL
    panels = -(-found.rows // most)
    return -(-found.rows // panels), nr


def _reads_channels(found: Contraction) -> bool:
    """Whether A is an image read through a window, with its channels last."""
    exprs = found.maps[0].results
    return is_contiguous(exprs, found.reduced[-1]) and any(_in_window(exprs, d) for d in found.reduced)


def _only_few_rows_fit(found: Contraction, machine: MachineDescription) -> bool:
    """Whether all that a tile of six rows reads of A stays in the L1 cache, and not what one of more rows reads."""
    row = found.depth * byte_width(found.accumulator)
    return found.rows > FULL and 6 * row <= machine.l1_bytes * 7 // 8 < FULL * row


def whole_vectors(columns: int, lanes: int) -> int:
    """At least so many columns: one, two, four... vectors; other numbers of them are no type that code generators know well."""
    return lanes << (-(-columns // lanes) - 1).bit_length()


def _unroll(found: Contraction, word: int, mr: int, vectors: int) -> int:
    inner = -(-found.sizes[found.reduced[-1]] // word)
    if _in_window(found.maps[0].results, found.reduced[-1]) and not (word == 1 and _moves_far(found)):
        # Terms next to each other read the same numbers of a window: kept from one to the next they would fill registers.
        return word
    if word > 1:
        return word * min(2, inner)
    if mr == FULL and is_contiguous(found.maps[0].results, found.reduced[-1]):
        return 1  # no register is left for a row of B that is read early
    if mr == FULL or vectors >= 4 or any(_in_window(found.maps[0].results, d) for d in found.reduced):
        # The rows of B of more terms than two, read early, would fill registers.
        return next((u for u in (2, 3) if inner % u == 0), min(2, inner))
    return next((u for u in (4, 3, 2) if inner % u == 0 and inner < 64), min(4, inner))


def _moves_far(found: Contraction) -> bool:
    """Whether a step along the innermost dim of the sums moves a window over so many rows that tiles share few numbers."""
    exprs, k = found.maps[0].results, found.reduced[-1]
    moves = [coefficient(e, k) for e in exprs if uses_dim([e], k) and len(e.used_dims()) > 1]
    return all(move is None or abs(move) >= FEW for move in moves)


def _is_plain(found: Contraction) -> bool:
    """Whether it is a product of matrices: one dim of sums, and no window."""
    return len(found.reduced) == 1 and not any(_in_window(m.results, found.reduced[0]) for m in found.maps)


def _terms(
    found: Contraction, machine: MachineDescription, tile: tuple[int, int], pack: tuple[bool, bool], width: int
) -> int:
    """Terms of one pass: blocks of equal length, as long as the rows of A that many tiles read stay in the L1 cache.

    Where the results do not stay near from pass to pass, or A is an image, whose parts would be copied in each pass, and few tiles
    read a row of A, all terms are done at once.
    """
    depth, columns = found.depth, found.sizes[found.n]
    pack_a, pack_b = pack
    if not is_contiguous(found.maps[2].results, found.n):
        return depth  # results are turned: they are not read again
    most = max(16, machine.l1_bytes * 13 // 32 // (tile[0] * width))
    if pack_b:
        # Results that are read and written seldom are worth longer panels than half stay in the L1 cache, unless fewer of these
        # stay in the L2 cache then and A is packed once more for each so many.
        longest = (4 if _is_plain(found) and columns > 4 * tile[1] and not pack_a else 2) * machine.l1_bytes
        most = min(most, max(16, longest // (tile[1] * width)))
    results = prod(found.sizes[d] for e in found.maps[2].results for d in e.used_dims()) * width
    far = results > machine.l2_bytes // 2 or any(_in_window(found.maps[0].results, d) for d in found.reduced)
    if columns <= 4 * tile[1] and far:
        most = max(most, machine.l2_bytes * 5 // 8 // (columns * width))
    elif not pack_b and depth * columns * width > machine.l2_bytes // 4:
        # B comes from afar: few of its rows at a time, each as a whole.
        most = STREAMED if depth * columns * width > machine.l2_bytes else 2 * STREAMED
    blocks = -(-depth // most)
    return min(depth, (-(-depth // blocks) + 3) // 4 * 4)


def must_pack_a(found: Contraction, word: int = 1) -> bool:
    """A cannot be read where it is, or not word by word."""
    words = words_of(found, word)
    if words is None:
        return not (a_is_direct(found) or rows_apart(found)) or bool(found.a_casts)
    k = found.reduced[-1]
    whole = is_contiguous(found.maps[0].results, k) and found.sizes[k] % word == 0
    return not (a_is_direct(found) or rows_apart(found)) or not whole or words.flips or words.narrow[0]


def must_pack_b(found: Contraction) -> bool:
    """B cannot be read where it is, or is copied to."""
    return not b_is_direct(found) and columns_apart(found) is None


def b_is_direct(found: Contraction) -> bool:
    """Rows of B are contiguous."""
    exprs = found.maps[1].results
    return len(exprs) >= 2 and is_contiguous(exprs, found.n)


def a_is_direct(found: Contraction) -> bool:
    """The rows of A that a tile reads lie one after the other along one dim of it."""
    return found.rows == 1 or row_dim(found) is not None


def row_dim(found: Contraction) -> int | None:
    """The dim of A along which the rows of a tile lie, one step apart."""
    place = row_step(found.maps[0].results, found.m)
    return place[0] if place is not None and place[1] == 1 else None


def row_step(exprs: Sequence[AffineExpr], m: int | None) -> tuple[int, int] | None:
    """The only dim of a tensor along which rows lie, and how far apart."""
    using = [i for i, e in enumerate(exprs) if m is not None and uses_dim([e], m)]
    if m is None or len(using) != 1:
        return None
    step = coefficient(exprs[using[0]], m)
    return None if step is None or step < 1 else (using[0], step)


def rows_apart(found: Contraction) -> tuple[int, int] | None:
    """As `row_step`, where rows are a few steps apart in an image that is copied into its border: next to each other in the copy."""
    place = row_step(found.maps[0].results, found.m)
    if place is None or not 2 <= place[1] <= MOST_APART or border_of(found.op.inputs[found.a]) is None:
        return None
    return place


def columns_apart(found: Contraction) -> tuple[int, int] | None:
    """The same of columns: along the last dim of B."""
    exprs = found.maps[1].results
    place = row_step(exprs, found.n)
    if place is None or not 2 <= place[1] <= MOST_APART or border_of(found.op.inputs[found.b]) is None:
        return None
    return place if place[0] == len(exprs) - 1 else None


def shares_sets(found: Contraction, rows: int) -> bool:
    """Whether rows of A lie so far apart that they fall into the same few sets of the L1 cache."""
    place = row_dim(found)
    if place is None or rows <= 4:
        return False
    kind = found.op.inputs[found.a].type
    assert isinstance(kind, TensorType)
    step = strides_of(kind.get_shape())[place] * byte_width(kind.element_type)
    line = machine_of(found.op).line_bytes
    if step < line:
        return False
    sets = [i * step % PAGE // line for i in range(rows)]
    return max(sets.count(s) for s in sets) > WAYS - 2


def _terms_share_sets(found: Contraction) -> bool:
    """Whether rows of A lie next to each other, and its terms so far apart that few of their lines stay in the L1 cache."""
    kind = found.op.inputs[found.a].type
    assert isinstance(kind, TensorType)
    step, line = kind.get_shape()[-1] * byte_width(kind.element_type), machine_of(found.op).line_bytes
    if step < line or found.m is None or not is_tile(found.maps[0].results, (found.reduced[-1], found.m)):
        return False
    sets = Counter(i * step % PAGE // line for i in range(found.sizes[found.reduced[-1]]))
    return max(sets.values()) > WAYS - 2


# Tasks.


@dataclass(frozen=True)
class Grid:
    """The dims cut over tasks: each in `parts` runs of whole tiles, of lengths that differ by one tile at most."""

    cuts: tuple[tuple[int, int], ...] = ()
    """(dim, parts), for those cut."""


def unit_of(found: Contraction, tiling: Tiling, dim: int) -> int:
    """Points of a dim that are not cut apart."""
    return tiling.mr if dim == found.m else tiling.nr if dim == found.n else 1


def units_of(found: Contraction, tiling: Tiling, dim: int) -> int:
    """Pieces that a dim could be cut into."""
    return -(-found.sizes[dim] // unit_of(found, tiling, dim))


def choose_grid(found: Contraction, tiling: Tiling, tasks: int, grain: int, parts: int = 1) -> Grid:
    """Which dims are cut into how many tasks: what is done soonest, counting what each task packs for itself.

    There are as many tasks for each of the `parts` that the sums are cut into.
    """
    wanted = int(min(tasks, least_time(found, tiling) / grain) / parts)
    if wanted < 2:
        return Grid()
    dims = [*found.outer, *([found.m] if found.m is not None else []), found.n]
    best, least = Grid(), float("inf")
    for grid in _grids(found, tiling, dims, wanted):
        cost = time_of(found, tiling, grid, tasks, parts)
        if cost < 0.995 * least:
            best, least = grid, cost
    return best


def _peak(found: Contraction, tiling: Tiling) -> float:
    """Products that a core adds up in a nanosecond, at best."""
    return PRODUCTS_PER_LANE * RATES[tiling.word] * tiling.vector_bytes / byte_width(found.accumulator)


def time_of(found: Contraction, tiling: Tiling, grid: Grid, tasks: int, parts: int) -> float:
    """Nanoseconds until all tasks of a grid are done, for each of the parts of the sums; at most so many tasks are for all cores."""
    cuts = {**dict(grid.cuts), **({found.reduced[0]: parts} if parts > 1 else {})}
    machine = machine_of(found.op)
    return _cost(found, tiling, cuts, _peak(found, tiling), machine, min(tasks, max(2, machine.cores)))


def least_time(found: Contraction, tiling: Tiling) -> float:
    """Nanoseconds that one core takes at least: for the products, or to move everything once."""
    return max(prod(found.sizes) / _peak(found, tiling), BYTE * _bytes(found))


def _bytes(found: Contraction) -> int:
    """Bytes of A, B and C."""
    kinds = [found.op.inputs[found.a].type, found.op.inputs[found.b].type, found.op.results[0].type]
    shaped = [kind for kind in kinds if isinstance(kind, TensorType)]
    return sum(prod(kind.get_shape()) * byte_width(kind.element_type) for kind in shaped)


def _grids(found: Contraction, tiling: Tiling, dims: Sequence[int], wanted: int) -> list[Grid]:
    """Ways to cut one or two dims into tasks, few first."""
    units = {d: units_of(found, tiling, d) for d in dims}
    sizes = [p for p in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256) if p <= wanted]
    grids: dict[tuple[tuple[int, int], ...], None] = {}
    for first, second in product(dims, dims):
        for p, q in product(sizes, sizes):
            if first >= second and (first > second or q > 1):
                continue
            if 1 < p * q <= wanted and p <= units[first] and q <= units[second]:
                grids[tuple((d, n) for d, n in ((first, p), (second, q)) if n > 1)] = None
    return [Grid(cuts) for cuts in sorted(grids, key=lambda cuts: prod(n for _, n in cuts))]


def _cost(
    found: Contraction, tiling: Tiling, parts: Mapping[int, int], peak: float, machine: MachineDescription, cores: int
) -> float:
    """Nanoseconds until all tasks are done."""
    points = {d: float(s) for d, s in enumerate(found.sizes)}
    for d, n in parts.items():
        points[d] = -(-units_of(found, tiling, d) // n) * unit_of(found, tiling, d)
    work = prod(points.values()) / peak
    maps = found.maps
    if tiling.pack_b:
        copy = COPY_NEAR if _stays_near(found, machine, tiling.word) else COPY_B
        work += copy / tiling.word * prod(points[d] for d in points if uses_dim(maps[1].results, d))
    elif reads_once(found, machine):
        # Every number of B is used so seldom that reading it is what takes time.
        lines = prod(points[d] for d in points if uses_dim(maps[1].results, d)) / points[found.n]
        work = max(work, BYTE * _width_of(found, found.b) * lines * points[found.n]) + LINE_START * lines
    passes = -(-points[found.n] // (tiling.block * tiling.nr))
    each = COPY_A / tiling.word if tiling.pack_a else READ_A if _waits_for_rows(found, tiling, machine) else 0.0
    work += each * passes * prod(points[d] for d in points if uses_dim(maps[0].results, d))
    for image, times in zip(maps[:2], (passes, 1.0), strict=True):
        if border_of(found.op.inputs[found.a if image is maps[0] else found.b]) is not None:
            work += COPY_A * times * prod(_reach(e, points) for e in image.results)
    return in_rounds(prod(parts.values()), cores) * work


def in_rounds(tasks: int, cores: int) -> float:
    """How many tasks one after the other take as long as all of them do.

    A core that has something else to do is waited for, the longer the longer its last task takes.
    """
    return -(-tasks // cores) + WAIT


def _reach(expr: AffineExpr, points: Mapping[int, float]) -> float:
    """Over how many elements along a dim of a tensor an index moves while some points of the dims are taken."""
    form = linear_form(expr)
    return 1 if form is None else 1 + sum(abs(c) * (points[d] - 1) for d, c in form[0].items())


__all__ = [
    "Grid",
    "Tiling",
    "a_is_direct",
    "b_is_direct",
    "better_by_lines",
    "choose_grid",
    "choose_tiling",
    "columns_apart",
    "in_rounds",
    "least_time",
    "must_pack_a",
    "must_pack_b",
    "row_dim",
    "row_step",
    "rows_apart",
    "shares_sets",
    "tiling_of",
    "time_of",
    "turned",
    "unit_of",
    "units_of",
]
