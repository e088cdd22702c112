"""What an aligned face shows: how its regions look and move, the units of its expression, and where it turns."""

import cv2
import numpy as np

from benchmark.sensing.faces import CROP

INNER = np.s_[11:90, 16:80]  # px of the aligned face that lie in a region
DOWN, ACROSS = (axis[INNER] for axis in (np.mgrid[:CROP, :CROP].astype(np.float32) + 0.5) / CROP - 0.5)
OUTWARD = np.sign(ACROSS)
FLOW = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
RING = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))  # down, across: the pixels around one

REGIONS = {  # fractions of the face box: left, top, right, bottom; a pair is averaged
    "brow": ((0.17, 0.14, 0.45, 0.34), (0.55, 0.14, 0.83, 0.34)),
    "glabella": ((0.38, 0.18, 0.62, 0.44),),
    "eye": ((0.17, 0.33, 0.45, 0.48), (0.55, 0.33, 0.83, 0.48)),
    "nose": ((0.35, 0.42, 0.65, 0.68),),
    "cheek": ((0.18, 0.50, 0.36, 0.78), (0.64, 0.50, 0.82, 0.78)),
    "mouth": ((0.21, 0.69, 0.79, 0.93),),
}
PARTS = {  # smaller boxes, for the named measures only
    "arch": ((0.17, 0.12, 0.45, 0.38), (0.55, 0.12, 0.83, 0.38)),
    "inner": ((0.30, 0.18, 0.50, 0.38), (0.50, 0.18, 0.70, 0.38)),
    "frown": ((0.44, 0.22, 0.56, 0.42),),
    "lid": ((0.17, 0.46, 0.45, 0.56), (0.55, 0.46, 0.83, 0.56)),
    "bridge": ((0.42, 0.40, 0.58, 0.56),),
    "tip": ((0.33, 0.52, 0.67, 0.68),),
    "fold": ((0.26, 0.56, 0.40, 0.74), (0.60, 0.56, 0.74, 0.74)),
    "corner": ((0.28, 0.66, 0.42, 0.84), (0.58, 0.66, 0.72, 0.84)),
    "beside": ((0.22, 0.67, 0.36, 0.82), (0.64, 0.67, 0.78, 0.82)),
    "lips": ((0.36, 0.70, 0.64, 0.86),),
}
MEASURES = {
    "mean": "mean intensity relative to the face, standard deviations of the face",
    "contrast": "standard deviation of the intensity, standard deviations of the face",
    "dark_y": "centre of what is darker than around it, fraction of the region's height from its top",
    "dark_wide": "sideways spread of the dark, fraction of the region's width",
    "dark_high": "upright spread of the dark, fraction of the region's height",
    "across": "mean size of the horizontal gradient (upright edges), standard deviations of the face per pixel",
    "down": "mean size of the vertical gradient (level edges), standard deviations of the face per pixel",
    "texture": "mean size of the Laplacian (fine lines), standard deviations of the face",
    "slant": "how far edges lean outwards (positive) or inwards, -0.5 to 0.5",
    "lines": "share of pixels on a line or edge (local binary patterns), 0 to 1",
    "spots": "share of pixels lighter or darker than all around them (local binary patterns), 0 to 1",
    "rough": "share of pixels of no simple pattern (local binary patterns), 0 to 1",
    "motion": "mean speed against the face, face widths per second",
    "rise": "mean upward speed against the face, face widths per second",
}
UNITS = {
    "brow_height": "height of the level edges around the brows, face widths (action units 1, 2; less in 4)",
    "brow_gap": "distance of the level edges of the inner brows, face widths (less in action unit 4)",
    "brow_uneven": "height of the brow at the left of the picture over the other, face widths",
    "frown_creases": "fine lines between the brows, ln of the texture (action unit 4)",
    "eye_opening": "upright against level edges of the eyes, ln of a ratio (less in action units 7, 43)",
    "lid_creases": "fine lines below the eyes, ln of the texture (action units 6, 7)",
    "nose_wrinkle": "fine lines on the bridge of the nose, ln of the texture (action unit 9)",
    "lip_corner_pull": "how far edges rise outwards at the corners of the mouth, -0.5 to 0.5 (action unit 12)",
    "lip_uneven": "lip_corner_pull at the left of the picture minus at the right",
    "lip_stretch": "upright edges beside the mouth, ln of the gradient (action units 12, 20)",
    "cheek_folds": "fine lines from nose to mouth, ln of the texture (action units 9, 12)",
    "mouth_opening": "darkness between the lips, ln of standard deviations of the face (action units 25, 26, 27)",
}
POSE = {
    "head_yaw": "axis of the nose to the right of that of the eyes in the picture, face widths (0.001 per degree)",
    "head_pitch": "dark of the nose between that of the eyes (0) and of the mouth (1), larger when looking down",
    "head_roll": "roll of the face, degrees",
    "head_turn": "speed of yaw and pitch together, per second",
}
BOXES = [box for boxes in (REGIONS | PARTS).values() for box in boxes]


def _kinds() -> np.ndarray:
    """(3, codes): whether a local binary pattern is a line or edge, a spot, or none of the simple patterns."""
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    simple = (bits != np.roll(bits, 1, axis=1)).sum(1) <= 2
    lighter = bits.sum(1)
    line = simple & (lighter >= 2) & (lighter <= 6)
    return np.array((line, lighter % 8 == 0, ~simple), np.float32)


KINDS = _kinds()
EDGES = np.rint(np.array(BOXES) * CROP).astype(int) - (16, 11, 16, 11)  # px of INNER
SIZES = np.array([(right - left, bottom - top, top) for left, top, right, bottom in BOXES])
PLACES = {  # which boxes belong to a region or part
    name: slice(BOXES.index(boxes[0]), BOXES.index(boxes[-1]) + 1) for name, boxes in (REGIONS | PARTS).items()
}
LOOKS = [f"{region}_{name}" for region in REGIONS for name in MEASURES]
COLUMNS = [*LOOKS, *UNITS, *POSE]  # of every frame


def measure(crop: np.ndarray | None, last: np.ndarray | None, step: float) -> np.ndarray:
    """COLUMNS of an aligned face; NaN where the face or its motion is unknown, and for roll and turn."""
    if crop is None:
        return np.full(len(COLUMNS), np.nan)
    edge = CROP // 8
    middle, spread = cv2.meanStdDev(crop[edge:-edge, edge:-edge])
    face = (crop - np.float32(middle.item())) / np.float32(max(spread.item(), 1.0))
    fine = cv2.Laplacian(cv2.GaussianBlur(face, (3, 3), 0), cv2.CV_32F)[INNER]
    across, down = (cv2.Sobel(face, cv2.CV_32F, *order, scale=1 / 8)[INNER] for order in ((1, 0), (0, 1)))
    relief = cv2.blur(face, (25, 25)) - face
    yaw = _axis(relief[44:65], 19) - _axis(relief[17:44], 29)  # the nose stands out, so it moves most
    shade, face = np.maximum(relief, 0)[INNER], face[INNER]
    x, y, slant = shade * ACROSS, shade * DOWN, across * down * OUTWARD
    across, down, steep = np.abs(across), np.abs(down), across**2 + down**2
    edges = across, down, down * ACROSS, down * DOWN, np.abs(fine), slant, steep
    looks = face, face**2, shade, x, y, x * ACROSS, y * DOWN, *edges, *_patterns(crop)
    planes = np.stack((*looks, *_flow(last, crop, step)))
    means = [planes[:, top:bottom, left:right].mean((1, 2)) for left, top, right, bottom in EDGES]
    return np.concatenate((_describe(np.array(means, float).T, yaw), (np.nan, np.nan)))


def _describe(means: np.ndarray, yaw: float) -> np.ndarray:
    """COLUMNS but roll and turn, from the means of the planes (planes, boxes) in the boxes."""
    face, square, shade, x, y, xx, yy, across, down, level_x, level_y, fine, slant, steep, *others = means
    wide, high, top = SIZES.T
    x, y, xx, yy = np.array((x, y, xx, yy)) / (shade + 1e-6)  # centres and spreads of the dark, face widths
    spread = np.sqrt(np.maximum((xx - x**2, yy - y**2), 0)) / (wide, high)
    contrast, slant = np.sqrt(np.maximum(square - face**2, 0)), slant / (steep + 1e-6)
    level = np.array((level_x, level_y)) / (down + 1e-6)  # centres of the level edges, face widths
    looks = np.array((face, contrast, (y + 0.5 - top) / high, *spread, across, down, fine, slant, *others))
    looks = np.concatenate([looks[:, PLACES[name]].mean(1) for name in REGIONS])
    at = {name: np.array((x, y, *level, shade, across, down, fine, slant))[:, place] for name, place in PLACES.items()}
    eye, nose, mouth = (at[name][1].mean() for name in ("eye", "tip", "mouth"))
    return np.concatenate((looks, _units(at), (yaw, (nose - eye) / (mouth - eye))))


def _units(at: dict[str, np.ndarray]) -> np.ndarray:
    """UNITS from what _describe measures in the boxes of each part."""
    height, slant = -at["arch"][3], at["corner"][8]
    logs = {name: np.log(np.abs(values) + 1e-3).mean(1) for name, values in at.items()}
    shade, across, down, fine = 4, 5, 6, 7
    return np.array((
        height.mean(),
        np.diff(at["inner"][2]).item(),
        height[0] - height[1],
        logs["frown"][fine],
        logs["eye"][across] - logs["eye"][down],
        logs["lid"][fine],
        logs["bridge"][fine],
        slant.mean(),
        slant[0] - slant[1],
        logs["beside"][across],
        logs["fold"][fine],
        logs["lips"][shade],
    ))  # fmt: skip


def _axis(band: np.ndarray, half: int) -> float:
    """Where the upright axis lies about which the middle 2 * half px of a band are most symmetric, face widths."""
    reach, middle = 12, CROP // 2
    part, mirrored = (
        band[:, middle - half : middle + half],
        band[:, middle + half + reach - 1 : middle - half - reach - 1 : -1],
    )
    match = cv2.matchTemplate(np.ascontiguousarray(mirrored), np.ascontiguousarray(part), cv2.TM_CCOEFF_NORMED)[0]
    best = int(np.argmax(match[1:-1])) + 1
    before, here, after = match[best - 1 : best + 2].astype(float)
    between = 0.5 * (before - after) / min(before - 2 * here + after, -1e-6)  # top of the parabola
    return (reach - best - np.clip(between, -0.5, 0.5)) / 2 / CROP


def _patterns(crop: np.ndarray) -> np.ndarray:
    """(3, *INNER) whether a pixel and those around it make a line, a spot or no simple pattern."""
    smooth = cv2.copyMakeBorder(cv2.GaussianBlur(crop, (3, 3), 0), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    middle, codes = smooth[1:-1, 1:-1], np.zeros_like(crop)
    for bit, (down, across) in enumerate(RING):
        codes |= (smooth[1 + down : 1 + down + CROP, 1 + across : 1 + across + CROP] >= middle).view(np.uint8) << bit
    return KINDS[:, codes[INNER]]


def _flow(last: np.ndarray | None, crop: np.ndarray, step: float) -> np.ndarray:
    """(2, *INNER) speed and upward speed of every pixel against the whole face, face widths per second."""
    if last is None:
        return np.full((2, *ACROSS.shape), np.nan, np.float32)
    flow = FLOW.calc(last, crop, None)
    flow = (flow[INNER] - np.median(flow[::4, ::4], axis=(0, 1))) / np.float32(step * CROP)
    return np.stack((cv2.magnitude(flow[..., 0], flow[..., 1]), -flow[..., 1]))
