"""Students rebuilt from their folders say what they said before, in torch and as a graph, and have a true page."""

import json

import numpy as np
import pytest
import torch
from conftest import kdot, silent, small_cell

from benchmark import cell as cells
from benchmark import checkpoints, evaluation, inputs, models, student
from benchmark.deployment import exports, modelcard, students
from benchmark.params import Method
from benchmark.types import Refused

NAMES = {"segment": {}, "clip": {f"value_{number}": "made up" for number in range(8)}}


def about(method: Method, modalities, provenance: str = "synthetic") -> dict:
    """What the distill stage adds to a card."""
    recipe = NAMES | {"version": 1, "versions": {}, "channels": [], "segments": 10, "options": {}}
    return {
        "method": method.model_dump(),
        "data": {"dataset": "made_up", "provenance": provenance, "clips": 144, "subjects": 12},
        "windows": None,
        "features": {name: recipe | {"extractor": name} for name in modalities},
    }


def saved(folder, cell, method: Method, fitted):
    """A student as the distill stage saves it."""
    card = cells.card(cell, "mine", fitted) | about(method, student.inputs(cell, method))
    checkpoints.save(folder, fitted.state, card)
    return folder


@pytest.fixture(scope="module")
def with_tnet(taught, imagined, tmp_path_factory):
    """A student with a T-Net, and what evaluation says of it."""
    method = kdot(tnet="mse")
    fitted = student.fit(taught.cell, method, taught.given, imagined, silent)
    said = evaluation.predict(taught.cell, student.restore(taught.cell, method, fitted.state, imagined))
    return saved(tmp_path_factory.mktemp("pknot"), taught.cell, method, fitted), said


@pytest.fixture(scope="module")
def of_values(tmp_path_factory):
    """A student of two values that has also learnt from the privileged modality."""
    cell, method = small_cell("regression", epochs=2), Method(inputs="all", dropout=0.5)
    fitted = student.fit(cell, method, {}, None, silent)
    said = evaluation.predict(cell, student.restore(cell, method, fitted.state, None))
    return saved(tmp_path_factory.mktemp("all"), cell, method, fitted), said


def answered(cell, found, visible: tuple[str, ...], clip_ids) -> np.ndarray:
    """What a rebuilt student says of clips of a cell, seeing only some modalities."""
    rows = cell.table.positions(clip_ids)
    x = {name: cell.table.x[name][rows] for name in found.takes}
    masks = {name: cell.table.visible[name][rows] & (name in visible) for name in found.takes}
    return students.answer(found, x, masks)[0].numpy()


def test_a_student_with_a_tnet_is_the_same_without_its_dataset(taught, with_tnet):
    folder, said = with_tnet
    for replica in taught.cell.replicas:
        found = students.load(folder, *replica)
        own = said[(said.fold == replica.fold) & (said.seed == replica.seed) & (said.condition == "vision")]
        assert found.takes == {"vision": "vision"} and found.outputs == ["0", "1", "2"]
        np.testing.assert_allclose(
            answered(taught.cell, found, ("vision",), own.clip_id), own[["p0", "p1", "p2"]], atol=1e-6
        )


@pytest.mark.parametrize("visible", [("vision", "biosignal"), ("vision",), ("biosignal",)])
def test_a_hidden_modality_is_hidden_in_use_as_in_the_evaluation(of_values, visible):
    folder, said = of_values
    cell, found = small_cell("regression", epochs=2), students.load(folder, fold=1, seed=0)
    own = said[(said.fold == 1) & (said.seed == 0) & (said.condition == "+".join(visible))]
    assert found.outputs == ["arousal", "valence"] and set(found.takes) == {"vision", "biosignal"}
    for column, target in enumerate(found.outputs):
        rows = own[own.target == target]
        values = answered(cell, found, visible, rows.clip_id)
        np.testing.assert_allclose(values[:, column], rows.prediction, atol=1e-6)


def test_all_replicas_together_say_their_mean_and_how_far_they_are_apart(taught, with_tnet):
    x, clips = {"vision": taught.cell.table.x["vision"]}, {"vision": taught.cell.table.visible["vision"]}
    whole, singly = students.load(with_tnet[0]), [students.load(with_tnet[0], *own) for own in taught.cell.replicas]
    mean, spread = students.answer(whole, x, clips)
    each = torch.stack([students.answer(one, x, clips)[0] for one in singly])
    assert len(each) == len(whole.networks) == 6
    torch.testing.assert_close(mean, each.mean(0))
    torch.testing.assert_close(spread, each.std(0, correction=0))
    assert spread.min() > 0 and students.answer(singly[0], x, clips)[1].max() == 0
    assert [len(students.load(with_tnet[0], **some).networks) for some in ({"fold": 1}, {"seed": 0})] == [2, 3]


@pytest.mark.parametrize(
    "damage, told",
    [
        (lambda folder: (folder / "card.json").unlink(), "is not the folder of a trained student"),
        (lambda folder: (folder / "card.json").write_text("{"), "cannot be read as JSON"),
        (lambda folder: edit(folder, lambda card: card.pop("method")), "holds mine, not a student"),
        (lambda folder: edit(folder, lambda card: card.pop("features")), "lacks features: it is of an earlier version"),
        (lambda folder: edit(folder, lambda card: card["method"].update(tnet="x")), "card.json is not valid"),
        (lambda folder: edit(folder, lambda card: card.update(method=3)), "card.json is not valid: method"),
        (lambda folder: edit(folder, lambda card: card["replicas"][0].pop("fold")), r"not valid: replicas\.0\.fold"),
        (lambda folder: edit(folder, lambda card: card["shapes"].update(vision=[10**9])), r"not valid: shapes\.vision"),
        (lambda folder: edit(folder, lambda card: card["features"]["vision"].pop("segments")), "segments"),
        (lambda folder: (folder / "card.json").write_text("[" * 100_000), "cannot be read as JSON"),
        (lambda folder: edit(folder, lambda card: card["method"].update(tnet="none")), "does not hold the weights"),
        (lambda folder: edit(folder, lambda card: card["shapes"].update(vision=[9])), "does not hold the weights"),
        (lambda folder: (folder / "weights.safetensors").unlink(), "does not hold the weights"),
        (lambda folder: (folder / "weights.safetensors").write_bytes(b"x"), "does not hold the weights"),
    ],
)
def test_a_folder_without_a_sound_student_is_refused_in_a_sentence(with_tnet, tmp_path, damage, told):
    for path in with_tnet[0].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    damage(tmp_path)
    with pytest.raises(Refused, match=told):
        students.load(tmp_path)


def edit(folder, change) -> None:
    card = checkpoints.read_card(folder)
    change(card)
    (folder / "card.json").write_text(json.dumps(card))


def test_a_replica_that_does_not_exist_is_refused_with_those_that_do(with_tnet):
    with pytest.raises(Refused, match=r"no replica of fold 7; its folds are \[0, 1, 2\], its seeds \[0, 1\]"):
        students.load(with_tnet[0], fold=7)


@pytest.fixture(scope="module")
def graph(with_tnet, tmp_path_factory):
    path = tmp_path_factory.mktemp("graph") / "student.onnx"
    return path, exports.export(students.load(with_tnet[0]), path)


def run(path, **given) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {name: values.numpy() for name, values in given.items()})[0]


def test_a_graph_says_what_torch_says_of_any_number_of_clips(taught, with_tnet, graph):
    path, difference = graph
    found, x = students.load(with_tnet[0]), taught.cell.table.x["vision"].clone()
    x[::3, 2] = torch.nan
    visible = torch.ones(len(x), 1, dtype=torch.bool)
    visible[::5] = False
    expected = students.answer(found, {"vision": x}, {"vision": visible[:, 0]})[0].numpy()
    assert difference <= 1e-5
    for count in (1, len(x)):
        np.testing.assert_allclose(run(path, vision=x[:count], visible=visible[:count]), expected[:count], atol=1e-5)


def test_a_graph_carries_what_its_numbers_mean_and_no_path(graph):
    import onnx

    model = onnx.load(graph[0])
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert told["student"] == "SYNTHETIC made_up/mine" and "SYNTHETIC" in told["warning"]
    assert json.loads(told["features"]) == {"vision": list(NAMES["clip"])}
    assert json.loads(told["outputs"]) == ["0", "1", "2"] and len(json.loads(told["replicas"])) == 6
    assert [value.name for value in model.graph.output] == ["probabilities"]
    assert b"benchmark/" not in graph[0].read_bytes() and b"site-packages" not in graph[0].read_bytes()


def test_a_graph_of_the_temporal_encoder_and_of_values_in_units_of_the_labels(tmp_path):
    cell, method = small_cell("regression"), Method(tnet="own")
    shapes, task = {"vision": (10, 8), "biosignal": (10, 5)}, cell.task
    own = [models.Hallucinator({"vision": (10, 8)}, ("biosignal",), "temporal") for _ in range(2)]
    networks = [models.Network({"vision": (10, 8)}, 2, "temporal", hallucinator=module) for module in own]
    for network in networks:
        network.target_mean.fill_(40.0)
        network.target_deviation.fill_(3.0)
    card = cells.card(cell, "mine") | about(method, task.prevalent, "real")
    card |= {"shapes": shapes, "training": card["training"] | {"encoder": "temporal"}, "replicas": card["replicas"][:2]}
    checkpoints.save(tmp_path, cells.stack(networks), card)
    found = students.load(tmp_path)
    assert exports.export(found, tmp_path / "graph.onnx") <= 1e-5
    x, visible = exports.made_up(found, 7)
    assert abs(run(tmp_path / "graph.onnx", **x, visible=visible).mean() - 40) < 10
    assert "warning" not in exports.described(found)


def test_no_file_is_kept_of_a_graph_that_differs_and_the_one_before_stays(with_tnet, tmp_path, monkeypatch):
    monkeypatch.setattr(exports, "TOLERANCE", -1.0)
    (tmp_path / "student.onnx").write_text("the one before")
    with pytest.raises(Refused, match=r"differs from torch by .* no file is kept"):
        exports.export(students.load(with_tnet[0], 0, 0), tmp_path / "student.onnx")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["the one before"]


def test_without_onnx_export_says_what_to_install(with_tnet, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(Refused, match="export needs onnxruntime, which is not installed: `pip install"):
        exports.export(students.load(with_tnet[0]), tmp_path / "student.onnx")


def test_a_difference_of_nan_is_no_agreement(with_tnet):
    class Broken:
        def run(self, _, given):
            return [np.full((len(given["visible"]), 3), np.nan, np.float32)]

    assert exports.difference(students.load(with_tnet[0]), Broken()) == float("inf")


def test_the_columns_of_a_graph_are_in_the_order_in_which_networks_read(tmp_path):
    names = {"segment": {"a": "", "b": ""}, "clip": {"c": ""}}
    packed = np.full((1, 3, 3), np.nan)
    packed[0, :2, :2], packed[0, 2, 2] = [[1, 10], [3, 30]], 7
    read = dict(zip(inputs.columns(names, "pooled"), inputs.pool(packed, 2)[0], strict=True))
    assert read == {"mean of a": 2, "mean of b": 20, "deviation of a": 1, "deviation of b": 10, "c": 7}
    assert inputs.columns(names, "temporal") == ["a", "b", "c"]


def test_the_page_of_a_student_tells_what_its_card_holds(with_tnet, of_values):
    card = checkpoints.read_card(with_tnet[0])
    page = modelcard.page(card)
    assert page == modelcard.page(json.loads(json.dumps(card)))
    assert page.startswith("# SYNTHETIC made_up: mine\n\n**SYNTHETIC: trained on synthetic recordings.")
    for told in (
        "144 clips of 12 subjects", "`kdot` (k 8)", "a T-Net that was trained", "3 folds, seeds 0, 1: 6 replicas",
        "not for diagnosis", "benchmark predict --student results/models/made_up/mine video.mp4",
    ):  # fmt: skip
        assert told in page, told
    scores = [entry["validation"] for entry in card["replicas"]]
    assert f"mean {np.mean(scores):.3f}, {min(scores):.3f} to {max(scores):.3f} over 6 replicas" in page
    card["data"]["provenance"], card["replicas"][2] = "real", card["replicas"][2] | {"epoch": 0, "validation": None}
    page = modelcard.page(card)
    assert "SYNTHETIC" not in page and "1 of 6 replicas diverged" in page and "the owners of made_up" in page
    assert "It was also trained on biosignal" in modelcard.page(checkpoints.read_card(of_values[0]))
