"""Devices and precision: nothing waits for a device within a step, and devices agree."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import kdot, silent, small_cell
from torch.func import stack_module_state, vmap
from torch.utils._pytree import tree_map

from benchmark import cell as cells
from benchmark import student, targets, train
from benchmark.params import Method
from benchmark.schema import BadParams

METHODS = {
    "prevalent_only": Method(),
    "kd": Method(terms={"kd": {}}),
    "kdot": kdot(),
    "random anchors": Method(terms={"kdot": {"k": 8, "anchors": "random"}}),
    "dropout": Method(inputs="all", dropout=0.5),
    "batchwise": Method(terms={"kdot": {"k": 8}}, teacher="batchwise"),
    "mix": Method(terms={"kd": {}}, mix="dissimilar"),
}


def on(cell: cells.Cell, device: str) -> cells.Cell:
    """The same cell with its table on a device."""
    moved = tree_map(lambda own: own.to(device) if torch.is_tensor(own) else own, cell.table._asdict())
    return replace(cell, table=cell.table._replace(**moved), device=torch.device(device))


@pytest.mark.parametrize("name", METHODS)
def test_a_step_never_waits_for_its_device(taught, several, monkeypatch, name):
    """On a device that holds no values, whatever needed one on the way would fail."""
    method, cell = METHODS[name], on(taught.cell, "meta")
    given = several if method.teacher == "batchwise" else taught.given
    given = targets.prepare(cell, {key: value.to("meta") for key, value in given.items()}, method.teacher)
    teachers = {key: value.to("meta") for key, value in taught.fitted.state.items()}
    taken = []
    monkeypatch.setattr(cells.Cell, "judge", lambda *_, **__: None)
    monkeypatch.setattr(train, "fit", lambda *parts: taken.append(parts) or train.Fitted({}, None, None, None, {}))
    student.fit(cell, method, given, None, silent, 1.0, teachers)
    pupils, draw, objective, weights, _, training, _ = taken[0]
    parameters, buffers = stack_module_state(pupils)

    def one(own, fixed, batch):
        return objective(lambda *inputs: train.call(pupils[0], (own, fixed), inputs, "float32"), batch)

    learnt = [tensor for tensor in parameters.values() if tensor.requires_grad]
    means = train.descend(
        lambda step: vmap(one, randomness="error")(parameters, buffers, draw(step)),
        range(3), weights, train.by_modality(parameters), train.AdamW(learnt, training),
    )  # fmt: skip
    assert set(means) >= {"task", *method.terms}
    assert {value.device.type for value in means.values()} == {"meta"}


def fitted(cell: cells.Cell, method: Method) -> train.Fitted:
    return student.fit(cell, method, {}, None)


def test_a_precision_is_chosen_by_params_alone_and_scores_stay_in_single():
    cell = small_cell(epochs=8)
    exact = fitted(cell, Method())
    rough = fitted(replace(cell, training=cell.training.model_copy(update={"precision": "bf16"})), Method())
    tf32 = fitted(replace(cell, training=cell.training.model_copy(update={"precision": "tf32"})), Method())
    assert all(torch.equal(exact.state[name], tf32.state[name]) for name in exact.state), "the processor has no tf32"
    assert not all(torch.equal(exact.state[name], rough.state[name]) for name in exact.state)
    assert {tensor.dtype for tensor in rough.state.values()} == {torch.float32}
    assert np.abs(exact.score - rough.score).max() < 0.15 and (rough.score > 0.3).all()
    assert torch.get_float32_matmul_precision() == "highest"
    assert cells.card(cell, "x")["training"]["precision"] == "float32"


def test_a_gpu_that_is_not_there_is_told_in_a_sentence(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BadParams, match=r"runtime\.device is cuda, but torch finds no GPU here; use auto or cpu"):
        train.device("cuda")
    assert train.device("auto") == train.device("cpu") == torch.device("cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU here")
@pytest.mark.parametrize("name", ["prevalent_only", "kd", "kdot"])
def test_a_gpu_and_the_processor_agree(taught, name):
    """Training may part ways by rounding, scores by a little."""
    found = [
        student.fit(on(taught.cell, device), METHODS[name], {k: v.to(device) for k, v in taught.given.items()}, None)
        for device in ("cpu", "cuda")
    ]
    assert np.abs(found[0].score - found[1].score).max() < 0.02
    assert cells.card(on(taught.cell, "cuda"), "x")["device"] == "cuda"
