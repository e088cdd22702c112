"""The shape of the project: what may import what, and whether dvc.yaml tells the truth."""

import ast
import re
from pathlib import Path

import pytest
import yaml

from benchmark import plugins
from benchmark.params import Params

ROOT = Path(__file__).parents[1]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
SOURCES = sorted(path for folder in ("benchmark", "pipelines") for path in (ROOT / folder).rglob("*.py"))
LEAVES = {"types", "schema", "sections", "params", "plugins", "seeds", "files", "progress"}
PLUGINS = ("datasets", "features", "losses", "metrics")


def imports(path: Path) -> set[str]:
    """Project modules that a file imports anywhere, as paths relative to the root."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            file = ROOT / (name.replace(".", "/") + ".py")
            if name.split(".")[0] in ("benchmark", "pipelines") and file.exists():
                found.add(file.relative_to(ROOT).as_posix())
    return found


def closure(path: str) -> set[str]:
    seen, todo = {path}, [path]
    while todo:
        for found in imports(ROOT / todo.pop()) - seen:
            seen.add(found)
            todo.append(found)
    return seen


def code_dependencies(stage: dict) -> list[str]:
    return [dep for dep in stage["deps"] if dep.startswith(("benchmark", "pipelines"))]


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_lists_every_module_it_imports(name):
    listed = code_dependencies(STAGES[name])
    plugged = [path for dep in listed if Path(dep).name in PLUGINS for path in files(dep)]
    used = closure(f"pipelines/{name}.py").union(*(closure(path.relative_to(ROOT).as_posix()) for path in plugged))
    missing = {module for module in used if not any(module == dep or module.startswith(f"{dep}/") for dep in listed)}
    assert not missing, f"dvc.yaml: {name} imports what it does not list"


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_lists_no_module_it_does_not_use(name):
    """Folders of plug-ins and what plug-ins import may be listed beyond the static imports."""
    used = closure(f"pipelines/{name}.py")
    for dep in code_dependencies(STAGES[name]):
        if Path(dep).name in (*PLUGINS, "report", "validation", "benchmark"):
            used |= {dep} | set().union(*(closure(p.relative_to(ROOT).as_posix()) for p in files(dep)))
    assert not {dep for dep in code_dependencies(STAGES[name]) if dep not in used}


def files(dep: str) -> list[Path]:
    path = ROOT / dep
    return [path] if path.is_file() else sorted(path.glob("*.py"))


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_lists_exactly_the_params_it_reads(name):
    sections = set()
    for node in ast.walk(ast.parse((ROOT / "pipelines" / f"{name}.py").read_text())):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("params", "stage.params()"):
            sections.add(node.attr)
    if name == "plan":  # checks the whole file
        sections = set(Params.model_fields)
    listed = {entry.split(".")[0] for entry in STAGES[name].get("params", [])}
    assert listed == sections - {"runtime"}


def test_every_stage_has_a_module_of_its_name_and_the_other_way_round():
    modules = {path.stem for path in (ROOT / "pipelines").glob("*.py")} - {
        "__init__",
        "cells",
        "graph",
        "stage",
        "study",
    }
    assert set(STAGES) == modules
    for name, stage in STAGES.items():
        assert stage["cmd"].startswith(f"python -m pipelines.{name}")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_point_inwards(path):
    kind, name = path.parent.name, path.stem
    found = {module for module in imports(path) if module != path.relative_to(ROOT).as_posix()}
    folders = {Path(module).parent.name for module in found}
    if path.is_relative_to(ROOT / "benchmark"):
        assert "pipelines" not in folders, "nothing imports pipelines"
    if kind in PLUGINS:
        assert kind not in folders, "plug-ins never import each other"
    if kind == "benchmark" and name in LEAVES:
        assert {Path(module).stem for module in found} <= LEAVES
    if kind == "benchmark" and name in ("ot", "models"):
        assert {Path(module).stem for module in found} <= LEAVES | {"ot", "native", "sinkhorn"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_are_of_one_noun_and_trust_no_foreign_file(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    assert path.stem not in ("utils", "helpers", "common", "manager")
    for unsafe in (
        r"torch\.load\(",
        r"pickle\.loads?\(",
        r"allow_pickle=True",
        r"yaml\.load\(",
        r"\beval\(",
        r"\bexec\(",
    ):
        assert not re.search(unsafe, text), unsafe
    owners = {"mlflow": "store.py", "yaml": "params.py"}
    for library, owner in (owners | dict.fromkeys(("joblib", "dask", "distributed"), "executor.py")).items():
        if re.search(rf"^\s*(import|from) {library}\b", text, re.M):
            assert path.name == owner, f"only {owner} imports {library}"


@pytest.mark.parametrize("kind", PLUGINS)
def test_plugins_are_found_by_file_name(kind):
    assert plugins.names(kind)
    for name in plugins.names(kind):
        assert plugins.load(kind, name).__doc__
    with pytest.raises(ValueError, match=f"benchmark/{kind}/ has no nothing.py; it has: "):
        plugins.load(kind, "nothing")


def test_a_digest_follows_what_a_plugin_imports():
    found = {path.stem for path in plugins.imported(ROOT / "benchmark" / "losses" / "kdot.py")}
    assert {"ot", "models"} <= found


def test_runtime_is_in_no_stage():
    assert not [name for name, stage in STAGES.items() if "runtime" in stage.get("params", [])]


def test_dvc_sends_nothing_home():
    assert "analytics = false" in (ROOT / ".dvc" / "config").read_text()
