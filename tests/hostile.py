"""Small trees of every dataset, and what may be wrong with one: by accident, or on purpose.

python hostile.py <count> <folder>: reads so many spoilt trees of every dataset. Ends with an error, and leaves the
tree, where reading one breaks, takes 5 s, or opens anything that lies outside of it.
"""

import faulthandler
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import foreign

from benchmark import extraction, plugins
from benchmark.reading import sources
from benchmark.sensing.faces import Film
from benchmark.types import Crops, Source, Video

WINDOWS = {"windows": {"length_s": 0.2, "hop_s": 0.2, "min_valid": 0.2}}
OPTIONS = {"recola": WINDOWS, "affwild2": WINDOWS | {"vision": "crops"}, "wesad": WINDOWS}
WORDS = (
    "nan", "inf", "-1e999", "1e99999999999", "9" * 30, "\0", "\ufeff", "\r\n", "\t", ";", ",", '"', "\u0663", "", "  ",
    "../../outside/secret.csv", "/etc/passwd", "=1+1", "x" * 3000, "\n\n", "-5", "[[" * 500, "{", "\ud7ff",
)  # fmt: skip


def trees() -> dict[str, dict[str, bytes]]:
    """Dataset -> path -> content of a tree that is read."""
    sound, film, flv = foreign.sound(), foreign.film(".mp4"), foreign.film(".flv")
    raters, biovid = foreign.RATERS.encode(), {"PartA/starting_point/samples.csv": foreign.SAMPLES.encode()}
    for subject, sample in (("071309_w_21", "a-1"), ("071313_m_41", "b-2")):
        biovid[f"PartA/biosignals_raw/{subject}/{sample}_bio.csv"] = foreign.PARSERS["biovid signals"].seeds()[0]
        biovid[f"PartA/video/{subject}/{sample}.mp4"] = film
    recola = {f"RECOLA-Annotation/emotional_behaviour/{name}/P16.csv": raters for name in ("arousal", "valence")}
    recola |= {"RECOLA-Audio-recordings/P16.wav": sound, "RECOLA-Video-recordings/P16.mp4": film}
    recola |= {"RECOLA-Biosignals-recordings/P16.csv": foreign.SKIN.encode()}
    recola |= {"RECOLA-Metadata/recola_user_info.csv": foreign.DYADS.encode()}
    affwild2 = {"6th ABAW Annotations/VA_Estimation_Challenge/Train_Set/7.txt": foreign.VALENCE[:58].encode()}
    affwild2 |= {"batch1/7.mp4": film, "cropped_aligned/7/00001.jpg": foreign.picture(".jpg")}
    stressid = {"labels.csv": foreign.LABELS.encode(), "self_assessments.csv": foreign.REPORTS.encode()}
    for kind, ending, content in (("Audio", "wav", sound), ("Videos", "mp4", film)):
        stressid[f"{kind}/2ea4/2ea4_Math.{ending}"] = content
    stressid["Physiological/wssm/wssm_Math.txt"] = foreign.BREATH.encode()
    wesad = {"WESAD/S2/S2.pkl": foreign.pickled()[-1], "WESAD/S2/S2_quest.csv": foreign.QUEST.encode()}
    ravdess = {"Actor_01/03-01-06-01-02-01-01.wav": sound, "Actor_01/02-01-06-01-02-01-01.mp4": film}
    cremad = {"CREMA-D/AudioWAV/1001_IEO_ANG_HI.wav": sound, "CREMA-D/VideoFlash/1001_IEO_ANG_HI.flv": flv}
    cremad |= {"CREMA-D/processedResults/tabulatedVotes.csv": foreign.VOTES.encode()}
    cremad |= {"CREMA-D/processedResults/summaryTable.csv": foreign.SUMMARY.encode()}
    cremad |= {"CREMA-D/VideoDemographics.csv": foreign.PEOPLE.encode()}
    return {
        "affwild2": affwild2, "biovid": biovid, "cremad": cremad, "ravdess": ravdess, "recola": recola,
        "stressid": stressid, "wesad": wesad,
    }  # fmt: skip


def write(root: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def spoil(root: Path, outside: Path, random: Random) -> str:
    """Do one thing to a file or a folder below root; returns what. outside: a folder that nobody may read."""
    places = sorted(path for path in root.rglob("*") if not path.is_symlink() and (path.is_file() or path.is_dir()))
    if not places:
        return "nothing is left"
    path = random.choice(places)
    what = random.choice([*CONTENTS, *TREES] if path.is_file() else [*TREES])
    if what in CONTENTS:
        content = path.read_bytes()
        path.write_bytes(CONTENTS[what](content, random.randint(0, len(content)), random))
    else:
        with suppress(OSError):  # two things that do not go together
            TREES[what](path, outside, random)
    return f"{what}: {path.relative_to(root)}"


def replaced(content: bytes, at: int, random: Random) -> bytes:
    """Another mark between values, as where a spreadsheet has saved the table."""
    return content.replace(random.choice([b",", b";", b"\t"]), random.choice([b",", b";", b"\t", b"|"]))


def claimed(content: bytes, at: int, random: Random) -> bytes:
    """Four bytes that may be a length say that it is vast."""
    return (
        content[:at]
        + random.choice([b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"])
        + content[at + 4 :]
    )


def doubled(content: bytes, at: int, random: Random) -> bytes:
    """The first line has each name twice."""
    first, *rest = content.split(b"\n")
    return b"\n".join([first + b"," + first, *rest])


CONTENTS = {
    "cut": lambda content, at, random: content[:at],
    "empty": lambda content, at, random: b"",
    "noise": lambda content, at, random: random.randbytes(at % 300),
    "bytes": lambda content, at, random: content[:at] + random.randbytes(3) + content[at + 3 :],
    "word": lambda content, at, random: content[:at] + random.choice(WORDS).encode() + content[at:],
    "words": lambda content, at, random: b",".join(random.choice(WORDS).encode() for _ in range(20)),
    "again": lambda content, at, random: content + content[at:],
    "mark": lambda content, at, random: b"\xef\xbb\xbf" + content,
    "ends of lines": lambda content, at, random: content.replace(b"\n", random.choice([b"\r\n", b"\r", b"\n\n"])),
    "pointer": lambda content, at, random: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
    "playlist": lambda content, at, random: b"#EXTM3U\n#EXTINF:2,\n../../outside/secret.mp4\n#EXT-X-ENDLIST\n",
    "separators": replaced,
    "length": claimed,
    "columns": doubled,
}


def gone(path: Path) -> Path:
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    return path


def renamed(path: Path, outside: Path, random: Random) -> None:
    path.rename(path.with_name(f"{random.choice('٣²é x')}{path.suffix}"))


def nested(path: Path, outside: Path, random: Random) -> None:
    shutil.copytree(path.parent, path.parent / path.parent.name, symlinks=True)


TREES = {
    "gone": lambda path, outside, random: gone(path),
    "a folder": lambda path, outside, random: gone(path).mkdir(),
    "a file": lambda path, outside, random: gone(path).write_bytes(b"x"),
    "a pipe": lambda path, outside, random: os.mkfifo(gone(path)),
    "a link out": lambda path, outside, random: gone(path).symlink_to(outside / f"secret{path.suffix}"),
    "a link to a folder": lambda path, outside, random: gone(path).symlink_to(outside),
    "a device": lambda path, outside, random: gone(path).symlink_to("/dev/zero"),
    "a link to itself": lambda path, outside, random: gone(path).symlink_to(path.name),
    "a link up": lambda path, outside, random: (path.parent / "up").symlink_to(".."),
    "other case": lambda path, outside, random: path.rename(path.with_name(path.name.swapcase())),
    "another name": renamed,
    "in itself": nested,
    "deep": lambda path, outside, random: (path.parent / "/".join("d" * 60)).mkdir(parents=True, exist_ok=True),
}


def read(name: str, root: Path) -> Iterator[str]:
    """Read a tree and the first recordings of each of its modalities, as the stages do; why these cannot be used."""
    module = plugins.load("datasets", name)
    options = module.Options(**OPTIONS.get(name, {}))
    reading = sources.real(name, "real", root, module, options)
    for modality, (kind, _) in module.modalities(options).items():
        for row in reading.clips.drop_duplicates(modality).head(3).itertuples():
            listed = getattr(row, modality)
            if isinstance(listed, str):
                yield extraction.attempt(lambda: whole(module, modality, row, listed, root, options), kind)[1]  # noqa: B023


def whole(module, modality: str, row, listed: str, root: Path, options) -> None:
    source = Source(modality, row.recording_id, root, extraction.inside(root, listed))
    recording = module.recording(source, options)
    if isinstance(recording, Video | Crops):
        list(Film(recording, 5.0))


class Watch:
    """What this process opens: nothing but what lies in a tree, or belongs to Python and its packages."""

    OWN = (sys.prefix, sys.base_prefix, str(ROOT), "/usr", "/proc", "/sys", os.path.realpath(sys.prefix))

    def __init__(self):
        self.opened: list[str] | None = None  # None while nobody looks
        sys.addaudithook(self.note)

    def note(self, event: str, told: tuple) -> None:
        looks = event in ("open", "os.listdir", "os.scandir")
        if looks and self.opened is not None and not isinstance(told[0], int):
            self.opened.append(os.path.realpath(os.fsdecode(told[0] or ".")))

    def beyond(self, root: Path) -> list[str]:
        """What was opened outside of a tree since the last time."""
        found, self.opened = self.opened, None
        places = (*(os.path.realpath(place) for place in (root, *linked(root))), *self.OWN)
        return [path for path in found if not any(os.path.commonpath((path, place)) == place for place in places)]


def linked(root: Path) -> list[Path]:
    """Folders directly in a tree that are links, as people may make them; one to what is around the tree is none."""
    found = [path for path in root.iterdir() if path.is_symlink() and path.is_dir()]
    return [path for path in found if path.resolve() not in root.resolve().parents]


def untouched(outside: Path) -> bool:
    """Whether no library has read a file either: reading gives it a time of access, which was 0."""
    return not any(path.stat().st_atime_ns for path in outside.iterdir())


def main(count: int, folder: Path) -> None:
    root, outside, watch, found = folder / "tree", folder / "outside", Watch(), {}
    write(outside, {f"secret{ending}": foreign.film(".mp4") for ending in ("", ".csv", ".wav", ".mp4", ".txt", ".pkl")})
    for name, files in trees().items():
        outcomes = Counter()
        for number in range(count):
            shutil.rmtree(root, ignore_errors=True)
            write(root, files)
            random = Random(f"{name} {number}")
            done = [spoil(root, outside, random) for _ in range(random.randint(1, 3))]
            for path in outside.iterdir():
                os.utime(path, ns=(0, path.stat().st_mtime_ns))
            faulthandler.dump_traceback_later(5, exit=True)
            watch.opened = []
            try:
                outcomes.update("unusable" if reason else "used" for reason in read(name, root))
            except foreign.REFUSALS:
                outcomes["refused"] += 1
            except Exception as error:
                sys.exit(f"{name} with {done}: {type(error).__name__}: {error}")
            faulthandler.cancel_dump_traceback_later()
            if (beyond := watch.beyond(root)) or not (linked(root) or untouched(outside)):
                sys.exit(f"{name} with {done}: opened {beyond or 'something outside'}")
        found[name] = {"trees": count} | outcomes
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
