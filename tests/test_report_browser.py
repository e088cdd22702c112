"""The report in a real browser: at two widths nothing overlaps, nothing overflows, nothing complains."""

import html
import json
import os
import re
import shutil
import subprocess

import made_results as made
import numpy as np
import pytest
from matplotlib.image import imread

from benchmark.report import board, evidence, gallery, page, ranks, style

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: the report was not looked at in a browser")

# Text boxes that overlap, what is wider than the window, pictures that do not load, and text with less contrast than
# WCAG AA asks for. Text that a scrolling box hides counts as far as it is seen.
MEASURE = """<script>
const light = colour => {
  const parts = colour.match(/[\\d.]+/g).slice(0, 3).map(part => part / 255);
  const [r, g, b] = parts.map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
  return .2126 * r + .7152 * g + .0722 * b;
};
const ground = element => {
  if (!element) return "rgb(255, 255, 255)";
  const found = getComputedStyle(element).backgroundColor;
  return found === "rgba(0, 0, 0, 0)" ? ground(element.parentElement) : found;
};
const contrast = element => {
  const [low, high] = [light(getComputedStyle(element).color), light(ground(element))].sort((a, b) => a - b);
  return (high + .05) / (low + .05);
};
const boxes = node => {
  const range = document.createRange(), text = node.textContent.trim();
  range.selectNodeContents(node);
  const clip = node.parentElement.closest(".scroll, nav ul, pre")?.getBoundingClientRect() ?? {left: -1e9, right: 1e9};
  return [...range.getClientRects()].map(box => ({
    text, top: box.top + 2, bottom: box.bottom - 2,
    left: Math.max(box.left, clip.left), right: Math.min(box.right, clip.right),
  })).filter(box => box.right - box.left > 1);
};
addEventListener("load", () => {
  const nodes = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) nodes.push(walker.currentNode);
  const seen = nodes.filter(n => n.textContent.trim() && !["SCRIPT", "STYLE"].includes(n.parentElement.tagName));
  const placed = seen.flatMap(boxes).sort((a, b) => a.top - b.top), overlaps = [];
  placed.forEach((a, i) => {
    for (const b of placed.slice(i + 1)) {
      if (b.top >= a.bottom - 1) break;
      if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1.5) overlaps.push([a.text, b.text]);
    }
  });
  const said = parent.document.createElement("pre");
  said.id = "measured";
  said.textContent = JSON.stringify({
    overlaps, texts: placed.length, width: innerWidth, page: document.documentElement.scrollWidth,
    wide: placed.filter(box => box.right > innerWidth + 1 || box.left < -1).map(box => box.text),
    faint: seen.filter(node => contrast(node.parentElement) < 4.5).map(node => node.textContent.trim()),
    images: [...document.images].map(image => image.naturalWidth),
  });
  parent.document.body.append(said);
});
</script>"""
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--enable-logging=stderr",
)  # fmt: skip


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A page of two tasks: one with every figure, one of a single seed without anything beside its records."""
    folder = tmp_path_factory.mktemp("report")
    whole, bare = made.suite(), made.suite("one_seed")
    for own in bare:
        own["training"] = own["training"] | {"seeds": [0]}
    made.write(folder, whole)
    folders = [folder / name for name in ("predictions", "embeddings", "models")]
    figures = {}
    for task, own, told in (("made_up", whole, made.RANKS), ("one_seed", bare, None)):
        drawn = gallery.of_task(evidence.gather(task, own, *folders), told)
        figures[task] = [kept(folder, task, figure) for figure in drawn]
    told = [{"method": "kd", "z": 1.2, "p": 0.2, "p_holm": 0.4, "tasks": ["made_up"], "reason": None}]
    across = kept(folder, "all", ranks.draw(made.RANKS, board.everywhere(whole)))
    (folder / "report.html").write_text(page.html([*whole, *bare], figures, told, [across], {}))
    return folder / "report.html"


def kept(folder, task, figure) -> page.Figure:
    saved = figure.figure and style.save(figure.figure, folder / "figures", f"{task}-{figure.name}")
    return page.figure(figure, saved)


def browse(path, width: int, wanted: str) -> subprocess.CompletedProcess:
    profile = path.parent / f"profile_{width}"
    command = [CHROMIUM, *QUIET, f"--user-data-dir={profile}", f"--window-size={width},1600", wanted, path.as_uri()]
    homes = {"XDG_CONFIG_HOME": str(profile), "XDG_CACHE_HOME": str(profile)}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ | homes, check=True)


def measured(text: str, folder, width: int) -> tuple[dict, str]:
    """What a page measures of itself in a frame of this width (a window cannot be narrower than 500), and the log."""
    probed = html.escape(text.replace("</body>", f"{MEASURE}</body>"))
    frame = folder / f"frame_{width}.html"
    frame.write_text(f'<body><iframe style="border:0;width:{width}px;height:1600px" srcdoc="{probed}"></iframe></body>')
    done = browse(frame, 1400, "--dump-dom")
    return json.loads(html.unescape(re.search(r'<pre id="measured">(.*?)</pre>', done.stdout, re.S)[1])), done.stderr


@pytest.mark.parametrize("width", [1280, 420])
def test_nothing_overlaps_or_overflows_and_every_picture_loads(report, width):
    said, log = measured(report.read_text(), report.parent, width)
    assert said["width"] == width and said["page"] <= width and said["texts"] > 300
    assert said["overlaps"] == [] and said["wide"] == [] and said["faint"] == []
    assert len(said["images"]) == 16 and min(said["images"]) > 100
    assert "CONSOLE" not in log


@pytest.mark.parametrize("width", [1280, 420])
def test_a_screenshot_shows_the_page(report, width):
    shot = report.with_name(f"shot_{width}.png")
    done = browse(report, width, f"--screenshot={shot}")
    assert "CONSOLE" not in done.stderr
    pixels = imread(shot)[..., :3]
    assert pixels.shape[:2] == (1600, width)
    assert 0.005 < (pixels.mean(-1) < 0.5).mean() < 0.3 and np.ptp(pixels[-400:]) > 0.5


def test_defects_would_be_noticed(tmp_path):
    """The measurement itself: two texts in one place, one text off the page, one faint, and a complaint."""
    place = "<p style='position:absolute;top:40px;left:10px'>"
    far = f"<p style='white-space:nowrap;width:4000px'>{'far ' * 300}</p>"
    defects = (
        f"{place}one</p>{place}other</p>{far}<p style='color:#bbb'>faint</p><script>console.error('broken')</script>"
    )
    said, log = measured(f"<!doctype html><body>{defects}</body>", tmp_path, 420)
    assert ["one", "other"] in said["overlaps"] and said["wide"] and said["faint"] == ["faint"]
    assert said["page"] > said["width"] and "CONSOLE" in log and "broken" in log
