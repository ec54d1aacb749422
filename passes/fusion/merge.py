"""merge siblings."""

from xdsl.ir import Block


def merge_siblings(block: Block) -> None:
    """TODO."""
