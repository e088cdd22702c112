"""Under what licences the packages of requirements.lock come: python -m benchmark.licences writes LICENCES.md."""

import re
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from benchmark.files import write_text

HERE = Path(__file__).parent
LOCK, PAGE = HERE.parent / "requirements.lock", HERE / "LICENCES.md"
FREE = (  # they ask for no more than their own text beside a copy
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0",
    "ISC", "MIT", "MIT-0", "MIT-CMU", "PSF-2.0", "Zlib",
)  # fmt: skip
SPELT = {  # as packages say it otherwise
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "3-Clause BSD License": "BSD-3-Clause",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0",
    "GNU Library or Lesser General Public License (LGPL)": "LGPL",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "Zope Public License": "ZPL-2.1",
}
BY_FILE = {  # what the file says that comes with a package, where the package says nothing or less
    "atheris": "Apache-2.0", "grandalf": "GPL-2.0 OR EPL-1.0", "huey": "MIT", "skops": "MIT",
}  # fmt: skip
EXPLAINED = {
    "asyncssh": "of DVC, for remotes by ssh, used unchanged",
    "av": "its wheel holds FFmpeg (LGPL-3.0) and codecs, x264 and x265 (GPL-2.0) among them, used unchanged; whoever "
    "passes the installed environment on passes these on",
    "certifi": "a list of certificates, used unchanged",
    "grandalf": "of DVC, draws `dvc dag`, used unchanged; whoever passes the installed environment on passes it on",
    "hypothesis": "for the tests only",
    "opencv-python-headless": "its wheel holds FFmpeg (LGPL-2.1), used unchanged",
    "orjson": "of DVC, used unchanged",
    "pathspec": "of DVC, used unchanged",
    "psycopg2-binary": "for the tests only: MLflow on PostgreSQL",
    "pygit2": "of DVC; the exception lets programs under any licence use it",
    "shtab": "of DVC, completes commands in a shell, used unchanged",
    "soundfile": "its wheel holds libsndfile (LGPL-2.1), used unchanged",
    "soxr": "of librosa, used unchanged as a library of its own",
    "torch": "a build for CUDA brings NVIDIA's libraries, which are in no lock here and under NVIDIA's own terms",
    "tqdm": "shows progress, used unchanged",
    "zc-lockfile": "of DVC; a free licence of the BSD kind",
}


def installed() -> list[str]:
    """Names of the packages that requirements.lock installs on this machine, in its order."""
    asked = [Requirement(line) for line in LOCK.read_text().splitlines() if line]
    return [package.name for package in asked if package.marker is None or package.marker.evaluate()]


def licence(name: str) -> str:
    """What a package says of itself, in the words of SPDX where they are known."""
    if name in BY_FILE:
        return BY_FILE[name]
    told = metadata.metadata(name)
    classified = [
        line.rpartition(" :: ")[2] for line in told.get_all("Classifier", []) if line.startswith("License ::")
    ]
    said = (told.get("License-Expression"), *classified, *(told.get("License") or "").splitlines()[:1])
    known = [text for text in said if text and text not in ("OSI Approved", "UNKNOWN")]
    return SPELT.get(known[0], known[0]) if known else ""


def free(expression: str) -> bool:
    """Whether one of the alternatives asks for nothing but its own text."""
    if "(" in expression:
        return all(free(part.strip("()")) for part in expression.split(" AND "))
    return any(all(part in FREE for part in one.split(" AND ")) for one in expression.split(" OR "))


def page() -> str:
    """The table, with an explanation of all that is not free or holds what is not."""
    rows = [(name, metadata.version(name).split("+")[0], licence(name)) for name in installed()]
    if unclear := [f"{name} ({said or 'none'})" for name, _, said in rows if not free(said) and name not in EXPLAINED]:
        raise ValueError(f"say in benchmark/licences.py why these licences will do: {', '.join(unclear)}")
    text = "# Licences of the packages in requirements.lock\n\nWritten by `python -m benchmark.licences`.\n\n"
    text += "| package | version | licence | remark |\n|---|---|---|---|\n"
    return text + "".join(
        f"| {name} | {version} | {re.sub('[|]', 'OR', said)} | {EXPLAINED.get(name, '')} |\n"
        for name, version, said in rows
    )


if __name__ == "__main__":
    write_text(PAGE, page())
    print(f"{PAGE.relative_to(HERE.parent)}: {len(installed())} packages")
