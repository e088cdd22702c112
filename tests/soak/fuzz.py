"""python fuzz.py <parser> <runs> <folder>: libFuzzer makes inputs for one parser of foreign files, led by what of its
code they reach. Ends with an error where one crashes it, takes it 5 s or 2.5 GB; that input stays in the folder."""

import faulthandler
import sys
from contextlib import suppress
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

with atheris.instrument_imports(include=["benchmark"]):
    from foreign import PARSERS, REFUSALS

WORDS = (
    "nan", "inf", "-1e999", "1e308", "9" * 30, "\\x00", "\\xef\\xbb\\xbf", "\\x0d\\x0a", "\\x09", ";", ",", "\\x22",
    "../", "/etc/passwd", "\\xd9\\xa3", "@data", "%", "#", "&a", "*a", "!!", "RIFF", "WAVE", "data", "moov", "stsz",
    "stts", "idx1", "PK\\x03\\x04", "NUMPY", "\\xff\\xff\\xff\\xff", "\\x80\\x04", "\\x8e", "]", "h\\x01", "K\\x01",
)  # fmt: skip


def main(name: str, runs: str, folder: str) -> None:
    parser, place = PARSERS[name], Path(folder)
    corpus, home = place / "corpus", place / "RECOLA-Metadata"  # a name that one of them looks for
    for path in (corpus, home):
        path.mkdir(parents=True)
    for number, content in enumerate(parser.seeds()):
        (corpus / f"seed{number}").write_bytes(content)
    (place / "words").write_text("".join(f'"{word}"\n' for word in WORDS))

    def one(content: bytes) -> None:
        (home / parser.name).write_bytes(content)
        faulthandler.dump_traceback_later(5, exit=True)
        with suppress(*REFUSALS):
            parser.read(home / parser.name)
        faulthandler.cancel_dump_traceback_later()

    longest = max(4096, *map(len, parser.seeds()))
    limits = ["-timeout=600", "-rss_limit_mb=2500", f"-max_len={longest}", "-len_control=0"]
    kept = [f"-artifact_prefix={place}/", f"-dict={place}/words", "-print_final_stats=1", "-seed=1", "-verbosity=0"]
    atheris.Setup([sys.argv[0], str(corpus), f"-runs={runs}", *limits, *kept], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
