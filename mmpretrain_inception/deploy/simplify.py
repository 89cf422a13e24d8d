"""Simplify PyTorch's trace of a classifier, once for all back-ends."""

from __future__ import annotations

import torch
from torch.export import ExportedProgram
from torch.fx import Node

_ATEN = torch.ops.aten


def simplify(program: ExportedProgram) -> None:
    """Remove dropout, and replace global average pooling plus flattening by one mean, in place.

    Converters would turn the flattening into half a dozen operations that compute a shape from the batch size.

    Args:
        program: The program of a network in evaluation mode.
    """
    graph = program.graph_module.graph
    for node in list(graph.nodes):
        if node.target is _ATEN.dropout.default:
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
        elif node.target is _ATEN.flatten.using_ints and _is_global_pool(node.args[0]):
            _use_mean(node)
    program.graph_module.recompile()


def _is_global_pool(node: Node) -> bool:
    pool = _ATEN.adaptive_avg_pool2d.default
    return node.target is pool and tuple(node.meta['val'].shape[-2:]) == (1, 1) and len(node.users) == 1


def _use_mean(flatten: Node) -> None:
    pool, *dims = flatten.args
    # The program refers to its output by name.
    is_output = any(user.op == 'output' for user in flatten.users)
    if not isinstance(pool, Node) or dims != [1] or is_output:
        return
    graph = flatten.graph
    with graph.inserting_before(flatten):
        mean = graph.call_function(_ATEN.mean.dim, (pool.args[0], [2, 3]))
    mean.meta['val'] = flatten.meta['val']
    flatten.replace_all_uses_with(mean)
    graph.erase_node(flatten)
    graph.erase_node(pool)
