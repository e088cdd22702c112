"""Better extractors, used where they are installed: a face network, a mesh of the face, openSMILE.

None of them is required. A face network is any ONNX file the user names. The mesh comes from MediaPipe releases that
ship its model (up to 0.10.21; with protobuf below 7); later ones download theirs and are not used. openSMILE is free
for research and private use only, not for products: it takes part only where the user has installed `opensmile`.
"""

import hashlib
from functools import cache
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np

LARGEST = 1024  # values of an embedding
MESH = {
    "mesh_eye_opening": "height of the eyes over their width, landmarks of MediaPipe",
    "mesh_mouth_opening": "height of the mouth between the lips over its width",
    "mesh_mouth_width": "width of the mouth, fraction of the width of the face",
    "mesh_lip_corner_pull": "height of the corners of the mouth over its middle, fraction of the width of the face",
    "mesh_brow_height": "distance of brows and eyes, fraction of the width of the face",
    "mesh_brow_gap": "distance of the inner ends of the brows, fraction of the width of the face",
    "mesh_yaw": "turn of the head, degrees, positive to the right of the picture",
    "mesh_pitch": "nod of the head, degrees, positive downwards",
}
EYES = ((33, 133, 159, 145), (263, 362, 386, 374))  # landmarks: outer, inner, upper, lower
BROWS = ((105, 55), (334, 285))  # middle, inner end
MOUTH, LIPS, SIDES, MIDLINE = (61, 291), (13, 14), (234, 454), (10, 152)  # left and right, or upper and lower


class Network:
    """An ONNX network that maps an aligned face to an embedding."""

    def __init__(self, path: Path, size: int, mean: tuple[float, ...], scale: tuple[float, ...]):
        self.size, self.mean, self.scale = size, np.float32(mean), np.float32(scale)
        try:
            self.net = cv2.dnn.readNetFromONNX(str(path))
        except cv2.error as error:
            raise ValueError(f"embedding: {path} cannot be read as an ONNX network: {error.err}") from None
        self.channels, self.values = self._probed(path)

    def _probed(self, path: Path) -> tuple[int, int]:
        """How many channels the network takes and how many values it gives."""
        for channels in (3, 1):
            try:
                values = self._run(np.zeros((1, channels, self.size, self.size), np.float32)).size
            except cv2.error:
                continue
            if values <= LARGEST:
                return channels, values
            raise ValueError(f"embedding: {path} gives {values} values; at most {LARGEST} are allowed")
        raise ValueError(f"embedding: {path} takes no picture of {self.size} x {self.size}; set embedding_size")

    def _run(self, blob: np.ndarray) -> np.ndarray:
        self.net.setInput(blob)
        return self.net.forward().ravel()

    def embed(self, face: np.ndarray) -> np.ndarray:
        """(values,) of a face, (size, size, 3) BGR uint8."""
        planes = (cv2.cvtColor(face, cv2.COLOR_BGR2RGB) - self.mean) * self.scale
        planes = planes if self.channels == 3 else planes.mean(2, keepdims=True)
        return self._run(np.ascontiguousarray(planes.transpose(2, 0, 1)[None], np.float32))


@cache
def network(path: Path, size: int, mean: tuple[float, ...], scale: tuple[float, ...]) -> Network:
    """The network of a file, loaded once per process."""
    return Network(path, size, mean, scale)


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:32]


def mediapipe() -> ModuleType | None:
    """MediaPipe, if it is installed and ships the model of the face mesh."""
    try:
        import mediapipe as found
    except ImportError:
        return None
    return found if hasattr(found, "solutions") else None


@cache
def _mesher():
    found = mediapipe()
    try:
        return found.solutions.face_mesh.FaceMesh(static_image_mode=True, max_num_faces=1)
    except Exception as error:  # its parts break in many ways against newer libraries
        raise ValueError(
            f"mediapipe {found.__version__} is installed but does not run ({error}): set extras: none, or repair it"
        ) from error


def mesh_definitions() -> dict[str, str]:
    """MESH; ValueError where the installed mediapipe does not run."""
    _mesher()
    return MESH


def mesh(picture: np.ndarray) -> np.ndarray:
    """(len(MESH),) of the face in a picture, (height, width, 3) BGR uint8; NaN where no mesh fits."""
    result = _mesher().process(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)).multi_face_landmarks
    if not result:
        return np.full(len(MESH), np.nan)
    points = np.array([(point.x, point.y, point.z) for point in result[0].landmark])
    return shape(points * (picture.shape[1], picture.shape[0], picture.shape[1]))


def shape(points: np.ndarray) -> np.ndarray:
    """(len(MESH),) of the landmarks of a face, (landmarks, 3) px; x to the right, y down, z away from the camera."""

    def distance(one: int, other: int) -> float:
        return float(np.linalg.norm(points[one] - points[other]))

    left, right = SIDES
    wide, mouth = distance(left, right) + 1e-6, distance(*MOUTH) + 1e-6
    opening = np.mean([distance(up, low) / (distance(out, inn) + 1e-6) for out, inn, up, low in EYES])
    brow = np.mean([distance(mid, eye[2]) for (mid, _), eye in zip(BROWS, EYES, strict=True)])
    pull = points[list(LIPS), 1].mean() - points[list(MOUTH), 1].mean()
    across, down = points[right] - points[left], points[MIDLINE[1]] - points[MIDLINE[0]]
    yaw, pitch = np.arctan2(across[2], across[0]), np.arctan2(down[2], down[1])
    lengths = mouth / wide, pull / wide, brow / wide, distance(BROWS[0][1], BROWS[1][1]) / wide
    return np.array((opening, distance(*LIPS) / mouth, *lengths, *np.degrees((yaw, pitch))))


def opensmile() -> ModuleType | None:
    """openSMILE, if it is installed."""
    try:
        import opensmile as found
    except ImportError:
        return None
    return found


@cache
def _smile():
    found = opensmile()
    return found.Smile(feature_set=found.FeatureSet.eGeMAPSv02, feature_level=found.FeatureLevel.Functionals)


def egemaps_names() -> list[str]:
    return list(_smile().feature_names)


def egemaps(samples: np.ndarray, rate: float) -> np.ndarray:
    """(88,) eGeMAPSv02 functionals of a clip, samples (samples,) at rate Hz."""
    return _smile().process_signal(samples, round(rate)).to_numpy(np.float32)[0]
