"""A trained student as one ONNX graph: standardisation, T-Net and the mean over the replicas inside.

Inputs: for each modality its features as the network reads them, (batch, features) float32 or with the temporal encoder
(batch, segments, features), NaN where not measured; and `visible` (batch, modalities) bool. Output: `probabilities`
(batch, classes), or `values` (batch, targets) in units of the labels. What the rows and columns mean stands in the
metadata of the file. A clip with nothing visible gets an answer that means nothing.
"""

import json
import logging
import warnings
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from benchmark import inputs
from benchmark.deployment import students
from benchmark.deployment.students import Answer, Student
from benchmark.files import replacing
from benchmark.types import Refused

TOLERANCE = 1e-5
OPSET = 20
CHECKED = 64  # made-up clips that torch and onnxruntime must agree on


class Flat(nn.Module):
    """An answering network with its inputs in the order of a graph."""

    def __init__(self, answer: Answer, names: list[str]):
        super().__init__()
        self.answer, self.names = answer, names

    def forward(self, *given: Tensor) -> Tensor:
        *x, visible = given
        return self.answer(
            dict(zip(self.names, x, strict=True)), dict(zip(self.names, visible.unbind(-1), strict=True))
        )


def export(student: Student, path: Path) -> float:
    """Write the graph and check it; returns the largest difference to torch.

    Refused, and no file kept, where onnx is not installed or the difference exceeds TOLERANCE.
    """
    onnx, runtime = libraries()
    model = ensemble(onnx, student)
    onnx.checker.check_model(model)
    with replacing(path) as partial:
        onnx.save_model(model, partial)
        session = runtime.InferenceSession(str(partial), providers=["CPUExecutionProvider"])
        found = difference(student, session)
        if not found <= TOLERANCE:
            raise Refused(f"the graph differs from torch by {found:.1e}, {TOLERANCE:g} is allowed: no file is kept")
    return found


def libraries():
    """The modules onnx and onnxruntime."""
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401  torch's exporter needs it
    except ImportError as error:
        raise Refused(
            f"export needs {error.name}, which is not installed: `pip install onnx onnxruntime onnxscript`"
        ) from None
    return onnx, onnxruntime


def made_up(student: Student, count: int) -> tuple[dict[str, Tensor], Tensor]:
    """Random features around those of the training, some not measured, and which modalities are visible."""
    rng = torch.Generator().manual_seed(0)
    x = {}
    for name in student.takes:
        known, shape = student.networks[0].encoders[name].standardise, student.card["shapes"][name]
        values = known.mean + 2 * known.deviation * torch.randn(count, *shape, generator=rng)
        x[name] = values.masked_fill(torch.rand(values.shape, generator=rng) < 0.1, torch.nan)
        x[name][count // 2] = torch.nan  # nothing measured at all
    visible = torch.rand(count, len(x), generator=rng) < 0.7
    visible[0], visible[1] = True, False
    return x, visible


def difference(student: Student, session) -> float:
    """Largest difference between a graph and torch on made-up clips; NaN on one side alone is infinitely large."""
    x, visible = made_up(student, CHECKED)
    given = {name: values.numpy() for name, values in x.items()} | {"visible": visible.numpy()}
    said = session.run(None, given)[0]
    seen = dict(zip(x, visible.unbind(-1), strict=True))
    expected = students.answer(student, x, seen)[0].numpy()
    if said.shape != expected.shape or not np.isfinite(said).all():
        return float("inf")
    return float(np.abs(said - expected).max())


def traced(student: Student):
    """The graph of the first replica. Its weights keep their names, so that those of others can take their place."""
    x, visible = made_up(student, 4)
    names = [*x, "visible"]
    flat = Flat(Answer(student.networks[0], student.task.kind), list(x)).train(False)
    with quiet():
        program = torch.onnx.export(
            flat, (*x.values(), visible), input_names=names, output_names=["said"], opset_version=OPSET, dynamo=True,
            optimize=False, verbose=False, dynamic_shapes=(tuple({0: torch.export.Dim("batch")} for _ in names),),
        )  # fmt: skip
    return program.model_proto


@contextmanager
def quiet():
    """Without the remarks of torch's exporter: its steps, operators of torchvision, its own future."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


def ensemble(onnx, student: Student):
    """One graph of all replicas: what was traced once, with the weights of each, and the mean of what they say."""
    pattern = traced(student)
    graph, given = pattern.graph, {value.name for value in pattern.graph.input}
    nodes, weights, said = [], [], []
    for number, network in enumerate(student.networks):
        state = {f"answer.network.{name}": values for name, values in network.state_dict().items()}

        def own(name: str, number=number) -> str:
            return name if not name or name in given else f"replica_{number}/{name}"

        for node in graph.node:
            copy = onnx.NodeProto(op_type=node.op_type, domain=node.domain, name=own(node.name))
            copy.input.extend(map(own, node.input))
            copy.output.extend(map(own, node.output))
            copy.attribute.extend(node.attribute)
            nodes.append(copy)
        for tensor in graph.initializer:
            values = state[tensor.name].numpy() if tensor.name in state else onnx.numpy_helper.to_array(tensor)
            weights.append(onnx.numpy_helper.from_array(values, own(tensor.name)))
        said.append(own(graph.output[0].name))
    answer = "values" if student.task.kind == "regression" else "probabilities"
    nodes.append(onnx.helper.make_node("Mean", said, [answer]))
    shape = ["batch", len(student.outputs)]
    output = onnx.helper.make_tensor_value_info(answer, onnx.TensorProto.FLOAT, shape)
    whole = onnx.helper.make_graph(
        nodes, f"{student.card['task']}_{student.card['name']}", graph.input, [output], weights
    )
    model = onnx.helper.make_model(whole, opset_imports=pattern.opset_import, ir_version=pattern.ir_version)
    model.doc_string = f"{student.name}: {__doc__.splitlines()[0]}"
    onnx.helper.set_model_props(model, described(student))
    return model


def described(student: Student) -> dict[str, str]:
    """The metadata of a graph: what its inputs are and its outputs mean; all but `student` and `warning` is JSON."""
    card = student.card
    features = {name: inputs.columns(own, card["training"]["encoder"]) for name, own in card["features"].items()}
    found = {
        "task": card["task"],
        "method": card["name"],
        "provenance": card["data"]["provenance"],
        "kind": student.task.kind,
        "outputs": student.outputs,
        "modalities": student.takes,
        "features": features,
        "segments": {name: own["segments"] for name, own in card["features"].items()},
        "windows": card["windows"],
        "replicas": [replica._asdict() for replica in student.replicas],
    }
    warning = {"warning": "trained on SYNTHETIC recordings: not to be used on people"} if student.synthetic else {}
    return {"student": student.name} | {name: json.dumps(value) for name, value in found.items()} | warning
