"""Every parser of one foreign file, and files that it reads: what is made of their bytes is tried in the tests."""

import io
import json
import pickle
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmark import extraction, params, records
from benchmark.datasets import affwild2, biovid, cremad, recola, stressid, wesad
from benchmark.deployment import recordings, students
from benchmark.reading import media, pickles, ratings, tables, votes
from benchmark.reading.windows import Windows, cut
from benchmark.schema import BadParams
from benchmark.sensing.faces import Film
from benchmark.types import Crops, Refused, Source, Unusable, Video, WrongTree

REFUSALS = (Unusable, WrongTree, Refused, BadParams)
SHORT = Windows(length_s=2.0, hop_s=1.0, min_valid=0.5)


class Parser(NamedTuple):
    """How a file of that name is read, and contents that are."""

    name: str
    read: Callable[[Path], Any]
    seeds: Callable[[], list[bytes]]


def recorded(module, modality: str, **options) -> Callable[[Path], Any]:
    """What a dataset makes of one recording."""
    chosen = module.Options(**options)
    return lambda path: module.recording(Source(modality, path.stem, path.parent, path), chosen)


def texts(*contents: str) -> Callable[[], list[bytes]]:
    return lambda: [content.encode() for content in contents]


def rows(header: str, *columns: str, count: int = 12) -> str:
    """A table of numbers; columns: what is written of the number of a row."""
    separator = next(mark for mark in "\t;," if mark in header)
    lines = [separator.join(column.format(n, n / 10, n / 25, n * 1953) for column in columns) for n in range(count)]
    return "\n".join([header, *lines]) + "\n"


@cache
def sound() -> bytes:
    import soundfile

    content = io.BytesIO()
    soundfile.write(content, 0.5 * np.sin(np.arange(4000) / 3), 16_000, format="WAV", subtype="PCM_16")
    return content.getvalue()


@cache
def film(ending: str) -> bytes:
    from benchmark.synthesis import film as films

    with TemporaryDirectory() as folder:
        path = Path(folder) / f"film{ending}"
        frames = [np.full((32, 48, 3), 20 * number, np.uint8) for number in range(8)]
        films.write(path, frames, 25.0, 0.5 * np.sin(np.arange(8000) / 9).astype(np.float32), 22_050)
        return path.read_bytes()


def films() -> list[bytes]:
    return [film(".mp4"), film(".avi"), film(".flv")]


@cache
def picture(ending: str) -> bytes:
    import cv2

    shade = np.add.outer(np.arange(40), np.arange(40)).astype(np.uint8)
    return cv2.imencode(ending, np.dstack([shade, shade, shade * 2]))[1].tobytes()


def shard() -> list[bytes]:
    content = io.BytesIO()
    np.savez(content, header="{}", features=np.ones((2, 3, 4), np.float32), reason=np.array(["", "no"]))
    packed = io.BytesIO()
    np.savez_compressed(packed, header="{}", features=np.zeros((2, 300, 4), np.float32), reason=np.array(["", ""]))
    return [content.getvalue(), packed.getvalue()]


def session() -> dict:
    label = np.repeat([0, 1], [300, 1500]).astype(np.int8)
    chest = {name: np.zeros((len(label), 3 if name == "ACC" else 1), np.int8) for name in ("ACC", "ECG", "EMG", "EDA")}
    chest |= {name: np.zeros((len(label), 1), np.int8) for name in ("Temp", "Resp")}
    return {"subject": "S2", "label": label, "signal": {"chest": chest, "wrist": {}}}


def pickled() -> list[bytes]:
    small = {"subject": "S2", "label": np.arange(6, dtype=np.int32), "signal": {"chest": {"ECG": np.ones((6, 1))}}}
    with TemporaryDirectory() as folder:
        pickles.write(Path(folder) / "S2.pkl", small)
        own = (Path(folder) / "S2.pkl").read_bytes()
    return [own, *(pickle.dumps(small, protocol) for protocol in (0, 2, 4, 5)), pickle.dumps(session(), 2)]


def sessions(path: Path):
    """What `read` asks of a pickle of WESAD."""
    return wesad.windowed("S2", wesad.session(path, "S2")["label"], [], SHORT)


def gold(path: Path):
    trace = ratings.gold(path)
    return cut(trace.index.to_numpy(float), trace.to_frame("arousal"), SHORT)


def annotated(challenge: str) -> Callable[[Path], Any]:
    options = affwild2.Options(challenge=challenge, windows=SHORT)
    return lambda path: affwild2.windowed("12-24-64x48", path, None, options)


def student(path: Path):
    return students.load(path.parent)


def card() -> list[bytes]:
    task = {"dataset": "d", "kind": "ordinal", "target": ["level"], "classes": [0, 1], "prevalent": ["vision"]}
    task |= {"privileged": ["biosignal"], "split": {"rule": "subject_folds", "folds": 3}}
    features = {"version": 1, "versions": {}, "channels": [], "segments": 4, "options": {}, "segment": {"a": "b"}}
    own = {"definition": task, "method": {}, "replicas": [{"fold": 0, "seed": 0}], "training": {"encoder": "pooled"}}
    own |= {"shapes": {"vision": [3]}, "features": {"vision": features | {"extractor": "vision", "clip": {}}}}
    own |= {"name": "kd", "task": "t", "data": {}, "windows": {"length_s": 6.0, "hop_s": 3.0}}
    return [json.dumps(own).encode(), b"{}"]


def trained(path: Path):
    """The student of a card whose weights are these."""
    (path.parent / "card.json").write_bytes(card()[0])
    return students.load(path.parent)


@cache
def weights() -> list[bytes]:
    import torch
    from safetensors.torch import save

    from benchmark.models import Network

    torch.manual_seed(0)
    return [
        save(
            {
                name: value[None].contiguous()
                for name, value in Network({"vision": (3,)}, 2, "pooled").state_dict().items()
            }
        )
    ]


def record() -> list[bytes]:
    own = dict.fromkeys((*records.COMMON, *records.OWN)) | {"version": records.VERSION}
    return [json.dumps(own).encode()]


def frames(path: Path) -> int:
    return sum(1 for _ in Film(Video(path), 5.0))


def crop(path: Path) -> int:
    return sum(1 for _ in Film(Crops((path, path), (0.0, 0.04)), 5.0))


ARFF = """@relation gold

@attribute Instance_name string
@attribute frameTime numeric
@attribute GoldStandard numeric

@data

""" + "".join(f"train_1,{n * 0.04:.2f},{n / 200 - 0.3:.4f}\n" for n in range(60))
RATERS = rows("time;FM1 ;FM2 ;FF1", "{2}", "0.1", "-0.0{0}", "{2}", count=25)
QUEST = """# Subj;S2;;;
# ORDER;Base;TSST;Medi 1;Fun;sRead;;
# START;7.08;39.55;70.19;81.25;54.42;;
# END;26.32;50.3;77.1;87.47;56.07;;
# DIM;7;2;;
# DIM;3;8;;
# DIM;8;1;;
# DIM;9;5
"""
LABELS = "subject/task,binary-stress,affect3-class\nwssm_Math,1,2\n2ea4_Math,1,1\n2ea4_Reading,0,\n"
DYADS = "Group_id;User\n1;P16\n1;P017\n;mean\n"
BREATH = rows("ECG,EDA,RR", "{0}", "{1}", "{2}")
SKIN = rows("time;EDA;ECG", "{2}", "{1}", "{0}")
VALENCE = "valence,arousal\n" + "0.5,-0.2\n-5,-5\n" * 60
REPORTS = "Tasks;2ea4;wssm\n" + "".join(
    f"{task}_{scale};3;NaN\n" for task in ("Math", "Reading") for scale in stressid.SCALES.values()
)
VOTES = """"","A","D","F","H","N","S","fileName"
"100001",5,5,0,0,1,1,"1001_IEO_ANG_HI"
"300002",0,0,0,1,10,0,"1001_IEO_NEU_XX"
"""
SUMMARY = '"","FileName","VoiceVote","FaceVote","MultiModalVote"\n"1","1001_IEO_ANG_HI","A:D","A",""\n'
PEOPLE = '"ActorID","Age","Sex","Race","Ethnicity"\n1001,51,"Male","Caucasian","Not Hispanic"\n1002,42,"Female",,\n'
SAMPLES = "\t".join(biovid.COLUMNS) + "\n1\t071309_w_21\t0\tBL1\t81\ta-1\n2\t071313_m_41\t4\tPA4\t1\tb-2\n"
SIGNALS = rows("time,ecg,eda,acc_x,acc_y,acc_z", "{1}", "{0}", "2.5", "1", "nan", "-1e3")
PARAMS = """suite:
  datasets: [biovid]
  tasks: &tasks [biovid_level]
  methods: *tasks
runtime: {device: auto, workers: 2}
datasets:
  biovid: {layout: biovid, source: auto, population: lab, options: {part: A}}
training: {rate: 2e-3, seeds: [0, 1], epochs: 10} # a remark
"""


def actors(path: Path):
    return cremad.actors(path.parent, path.parent, ["1001_IEO_ANG_HI"])


def assessed(path: Path):
    clips = {"clip_id": ["2ea4_Math", "wssm_Math"], "subject_id": ["2ea4", "wssm"], "task": ["Math", "Math"]}
    return stressid.assessed(path, pd.DataFrame(clips))


def dyads(path: Path):
    return recola.dyads(path.parents[1])


def predicted(path: Path):
    return recordings.signals(path, ("ecg", "eda", "acc"), None)


PARSERS = {
    "table of texts": Parser("a.csv", lambda path: tables.text(path, "\t", ("a",), WrongTree), texts("a\tb\nx\ty\n")),
    "table of numbers": Parser("a.csv", lambda path: tables.numbers(path, ",", ("a",), Unusable), texts("a,b\n1,2\n")),
    "biovid samples": Parser("samples.csv", biovid.read_samples, texts(SAMPLES)),
    "biovid signals": Parser(
        "a_bio.csv",
        recorded(biovid, "biosignal"),
        texts(rows("time\tgsr\tecg\temg_trapezius", "{3}", "{1}", "{0}", "nan")),
    ),
    "recola gold standard": Parser("train_1.arff", gold, texts(ARFF)),
    "recola raters": Parser("P16.csv", gold, texts(RATERS)),
    "recola signals": Parser("P16.csv", recorded(recola, "biosignal"), texts(SKIN)),
    "recola dyads": Parser("recola_user_info.csv", dyads, texts(DYADS)),
    "affwild2 valence": Parser("12-24-64x48.txt", annotated("va"), texts(VALENCE)),
    "affwild2 expressions": Parser("1.txt", annotated("expr"), texts("Neutral,Anger,Fear\n" + "0\n2\n-1\n" * 60)),
    "stressid labels": Parser("labels.csv", stressid.labelled, texts(LABELS)),
    "stressid reports": Parser("self_assessments.csv", assessed, texts(REPORTS)),
    "stressid signals": Parser("a.txt", recorded(stressid, "biosignal"), texts(BREATH)),
    "wesad questionnaire": Parser("S2_quest.csv", wesad.questionnaire, texts(QUEST)),
    "wesad session": Parser("S2.pkl", sessions, pickled),
    "wesad signals": Parser("S2.pkl", recorded(wesad, "chest"), pickled),
    "cremad votes": Parser("tabulatedVotes.csv", lambda path: votes.counted(path, cremad.named), texts(VOTES)),
    "cremad summary": Parser("summaryTable.csv", lambda path: votes.differing(path, cremad.named, {}), texts(SUMMARY)),
    "cremad actors": Parser("VideoDemographics.csv", actors, texts(PEOPLE)),
    "signals of predict": Parser("a.csv", predicted, texts(SIGNALS)),
    "sound": Parser("a.wav", media.sound, lambda: [sound()]),
    "sound of a video": Parser("a.mp4", media.sound, films),
    "times of frames": Parser("a.mp4", media.frame_times, films),
    "frames": Parser("a.mp4", frames, films),
    "pictures": Parser("1.jpg", crop, lambda: [picture(".jpg"), picture(".png")]),
    "shard": Parser("a.npz", extraction.read_shard, shard),
    "record": Parser("kd.json", records.read_record, record),
    "card": Parser("card.json", student, card),
    "weights": Parser("weights.safetensors", trained, weights),
    "params.yaml": Parser("params.yaml", params.load, texts(PARAMS, "a: &a [1, 2]\nb: [*a, *a]\n")),
}  # fmt: skip
