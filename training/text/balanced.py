"""The same graph in numbers that 8 bits can tell apart.

In 8 bits a matrix product knows 256 steps between the smallest and the largest number that comes
in. Transformers have a few columns, and a few tokens, that are far larger than all others, and
between whose steps the others are lost. What is changed here changes no product: columns are
divided by a number that their weights are multiplied by (Xiao et al. 2023, SmoothQuant), tokens by
their own largest number, by which the product is multiplied again.
"""

from typing import Any, TypeAlias

import numpy as np

from training.forecast import Values

Nodes: TypeAlias = list[Any]

# A normalised number is hardly ever this far from 0, in deviations.
_FAR = 4.0
_LEAST = 1e-6


def balanced(model: Any) -> Any:
    """The ONNX model with inputs of its products balanced: columns after a normalisation, tokens
    where a product narrows."""
    from onnx import numpy_helper

    graph = model.graph
    weights = {one.name: one for one in graph.initializer}
    made = {output: node for node in graph.node for output in node.output}
    products = [n for n in graph.node if n.op_type == "MatMul" and n.input[1] in weights]
    after = dict[str, Nodes]()
    for node in products:
        source = made.get(node.input[0])
        if source is not None and source.op_type == "LayerNormalization":
            after.setdefault(node.input[0], []).append(node)
        elif len(shape := weights[node.input[1]].dims) == 2 and shape[0] > shape[1]:
            _by_token(graph, node)

    def constant(name: str) -> Any:
        # Of equal weights, as those of new layers are, the exporter keeps one and names it anew.
        while name not in weights and made[name].op_type == "Identity":
            name = made[name].input[0]
        return numpy_helper.to_array(weights[name])

    for name, nodes in after.items():
        norm = [np.abs(constant(each)) for each in made[name].input[1:]]
        _by_column(graph, name, nodes, _FAR * norm[0] + sum(norm[1:]))
    return model


def _by_column(graph: Any, name: str, nodes: Nodes, largest: Values) -> None:
    from onnx import helper, numpy_helper

    kept = {one.name: one for one in graph.initializer}
    matrices = [numpy_helper.to_array(kept[node.input[1]]) for node in nodes]
    heaviest = np.max([np.abs(matrix).max(axis=1) for matrix in matrices], axis=0)
    share = np.sqrt(np.maximum(largest, _LEAST) / np.maximum(heaviest, _LEAST)).astype(np.float32)
    graph.initializer.append(numpy_helper.from_array(1 / share, f"{name}_share"))
    first = min(list(graph.node).index(node) for node in nodes)
    divided = helper.make_node(
        "Mul", [name, f"{name}_share"], [f"{name}_even"], name=f"{name}_even"
    )
    graph.node.insert(first, divided)
    for node, matrix in zip(nodes, matrices, strict=True):
        heavier = numpy_helper.from_array(matrix * share[:, None], node.input[1])
        kept[node.input[1]].CopyFrom(heavier)
        node.input[0] = f"{name}_even"


def _by_token(graph: Any, node: Any) -> None:
    from onnx import helper, numpy_helper

    own, read, written = node.name, node.input[0], node.output[0]
    names = {what: f"{own}_{what}" for what in ("size", "most", "largest", "even", "said", "least")}
    graph.initializer.append(numpy_helper.from_array(np.array(_LEAST, np.float32), names["least"]))
    before = [
        helper.make_node("Abs", [read], [names["size"]]),
        helper.make_node("ReduceMax", [names["size"]], [names["most"]], axes=[-1], keepdims=1),
        helper.make_node("Max", [names["most"], names["least"]], [names["largest"]]),
        helper.make_node("Div", [read, names["largest"]], [names["even"]]),
    ]
    place = list(graph.node).index(node)
    node.input[0], node.output[0] = names["even"], names["said"]
    back = helper.make_node("Mul", [names["said"], names["largest"]], [written])
    graph.node.insert(place + 1, back)
    for each in reversed(before):
        graph.node.insert(place, each)
