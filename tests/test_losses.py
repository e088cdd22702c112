"""What every loss term in benchmark/losses must do; a new file is tested without an edit here.

A term declares in PROPERTIES what it claims; what it does not claim must not hold either:
`zero` (0 where the student is the teacher) or `minimal` (smallest there); unchanged by a `rotation` of the student's
embeddings, by a positive `scale`, by a `translation`, by the `order` of its clips, or by a `logit_shift`, a constant
added to the logits of a clip.
"""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from benchmark import plugins
from benchmark.models import WIDTH, Lesson, Output
from benchmark.params import Training
from benchmark.train import AdamW

NAMES = plugins.names("losses")
KINDS = {"classification": 5, "ordinal": 5, "regression": 2}  # outputs
PRIVILEGED = 2  # of three slots
MOVES = {"rotation": {"z"}, "scale": {"z"}, "translation": {"z"}, "logit_shift": {"prediction"}}  # what they move
MOVES["order"] = {"z", "prediction", "tokens"}
CONVERGED = {"kdot": {"iterations": 3000, "epsilon": 0.1}}  # where the default stops early, for exact gradients


def outputs(seed: int, kind: str, batch: int = 12, dtype: torch.dtype = torch.float64) -> Output:
    rng = torch.Generator().manual_seed(seed)
    shapes = (batch, KINDS[kind]), (batch, WIDTH), (batch, 1 + PRIVILEGED, WIDTH)
    values = [torch.randn(shape, generator=rng, dtype=torch.float64).to(dtype) for shape in shapes]
    return Output(*values, torch.rand(batch, 1 + PRIVILEGED, generator=rng) < 0.8)


def targets(kind: str, batch: int = 12, seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    if kind == "regression":
        return torch.randn(batch, KINDS[kind], generator=rng, dtype=torch.float64)
    return torch.randint(KINDS[kind], (batch,), generator=rng)


class Term:
    """A term as the objective calls it, with a fixed Adapter where it has one."""

    def __init__(self, name: str, kind: str, dtype: torch.dtype = torch.float64, seed: int = 0, **options):
        self.name, self.kind, self.module = name, kind, plugins.load("losses", name)
        self.options, self.adapter = self.module.Options(**options), None
        if hasattr(self.module, "Adapter"):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                self.adapter = self.module.Adapter(self.options).to(dtype)

    def __call__(self, student: Output, teacher: Output, target: Tensor, own: dict | None = None) -> Tensor:
        adapted = ()
        if self.adapter:
            weights = dict(self.adapter.named_parameters()) if own is None else own
            adapted = functional_call(self.adapter, weights, (student, teacher))
        return self.module.loss(student, teacher, self.options, Lesson(self.kind, target, PRIVILEGED, adapted))


def reaches(term: Term, batch: int = 12) -> set[str]:
    """The fields of the student's output that a term sends a gradient to."""
    student = requiring(outputs(1, term.kind, batch))
    value = term(student, outputs(0, term.kind, batch), targets(term.kind, batch))
    gradients = torch.autograd.grad(value, student[:3], allow_unused=True)
    return {field for field, g in zip(Output._fields, gradients, strict=False) if g is not None and g.norm() > 1e-9}


def requiring(output: Output) -> Output:
    return Output(*(values.detach().clone().requires_grad_() for values in output[:3]), output.seen)


def moved(student: Output, move: str) -> Output:
    rng = torch.Generator().manual_seed(7)
    if move == "order":
        order = torch.randperm(len(student.z), generator=rng)
        return student._replace(z=student.z[order], prediction=student.prediction[order], tokens=student.tokens[order])
    if move == "logit_shift":
        shift = torch.randn(len(student.z), 1, generator=rng, dtype=student.z.dtype)
        return student._replace(prediction=student.prediction + shift)
    rotation = torch.linalg.qr(torch.randn(WIDTH, WIDTH, generator=rng, dtype=student.z.dtype)).Q
    constant = torch.randn(WIDTH, generator=rng, dtype=student.z.dtype)
    z = {"rotation": student.z @ rotation, "scale": 1.7 * student.z, "translation": student.z + constant}[move]
    return student._replace(z=z)


def fits(name: str, kind: str, outputs: int) -> bool:
    return not getattr(plugins.load("losses", name), "unfit", lambda *_: "")(kind, outputs)


CASES = [(name, kind) for name in NAMES for kind in KINDS if fits(name, kind, KINDS[kind])]


@pytest.mark.parametrize("name, kind", CASES)
def test_term_is_a_finite_scalar_that_reaches_the_student_alone(name, kind):
    term, teacher, student = Term(name, kind), requiring(outputs(0, kind)), requiring(outputs(1, kind))
    value = term(student, teacher, targets(kind))
    assert value.shape == () and value.isfinite() and value.dtype == torch.float64
    told = torch.autograd.grad(value, [*student[:3], *teacher[:3]], allow_unused=True)
    assert sum(float(g.norm()) for g in told[:3] if g is not None) > 1e-9
    assert all(g is None or not g.any() for g in told[3:]), "a teacher is never given a gradient"


def steepness(term: Term, student: Output, teacher: Output, target: Tensor) -> tuple[float, float]:
    """Value of a term and norm of its gradient."""
    student = requiring(student)
    value = term(student, teacher, target)
    gradients = torch.autograd.grad(value, student[:3], allow_unused=True)
    return value.item(), sum(float(g.square().sum()) for g in gradients if g is not None) ** 0.5


@pytest.mark.parametrize("name, kind", CASES)
def test_term_is_at_the_teacher_what_it_declares(name, kind):
    term, teacher, target = Term(name, kind), outputs(0, kind), targets(kind)
    same, level = steepness(term, teacher, teacher, target)
    others, slopes = zip(*(steepness(term, outputs(s, kind), teacher, target) for s in range(1, 5)), strict=True)
    if {"zero", "minimal"} & term.module.PROPERTIES:
        assert same < min(others) and level < 1e-2 * min(slopes)
    else:
        assert level > 1e-2 * min(slopes)
    assert ("zero" in term.module.PROPERTIES) == (abs(same) < 1e-4)


@pytest.mark.parametrize("name, kind", CASES)
def test_term_is_unchanged_by_what_it_declares_and_by_nothing_else(name, kind):
    term, teacher, student, target = Term(name, kind), outputs(0, kind), outputs(1, kind), targets(kind)
    before, seen = term(student, teacher, target).item(), reaches(term)
    for move, fields in MOVES.items():
        if not fields & seen or (move == "logit_shift" and kind == "regression"):
            continue
        after = term(moved(student, move), teacher, target).item()
        if move in term.module.PROPERTIES:
            assert after == pytest.approx(before, rel=1e-6, abs=1e-9), move
        else:
            assert after != pytest.approx(before, rel=1e-4), move


@pytest.mark.parametrize("name, kind", CASES)
def test_gradient_is_that_of_finite_differences(name, kind):
    term, teacher, target = Term(name, kind, **CONVERGED.get(name, {})), outputs(0, kind), targets(kind)
    student, along, step = requiring(outputs(1, kind)), outputs(2, kind), 1e-6
    gradients = torch.autograd.grad(term(student, teacher, target), student[:3], allow_unused=True)
    slope = sum(float((g * a).sum()) for g, a in zip(gradients, along[:3], strict=True) if g is not None)
    sides = [
        Output(*(s.detach() + sign * step * a for s, a in zip(student[:3], along[:3], strict=True)), student.seen)
        for sign in (1, -1)
    ]
    above, below = (term(side, teacher, target).item() for side in sides)
    assert slope == pytest.approx((above - below) / (2 * step), rel=1e-4, abs=1e-8)


def degenerate(output: Output, way: str) -> Output:
    if way == "constant":
        return Output(*(values[:1].expand_as(values).clone() for values in output))
    if way == "zero":
        return Output(*(torch.zeros_like(values) for values in output))
    return output


@pytest.mark.parametrize("name, kind", CASES)
@pytest.mark.parametrize("batch", [2, 3, 12])
def test_degenerate_batches_are_defined(name, kind, batch):
    term = Term(name, kind, torch.float32)
    target = targets(kind, batch)
    target = target.float() if kind == "regression" else torch.zeros_like(target)  # one class in the batch
    for mine in ("varied", "constant", "zero"):
        for theirs in ("varied", "constant", "zero"):
            student = requiring(degenerate(outputs(1, kind, batch, torch.float32), mine))
            value = term(student, degenerate(outputs(0, kind, batch, torch.float32), theirs), target)
            gradients = torch.autograd.grad(value, student[:3], allow_unused=True)
            assert value.isfinite(), (mine, theirs)
            assert all(g is None or g.norm() < 1e4 for g in gradients), (mine, theirs)


def replicas(name: str, kind: str) -> list[tuple[Term, Output, Output, Tensor]]:
    """Two replicas of a term, each with its own adapter, student, teacher and targets."""
    dtype = torch.float32
    wanted = [targets(kind, seed=seed).to(dtype if kind == "regression" else torch.long) for seed in (0, 1)]
    return [
        (Term(name, kind, dtype, n), outputs(2 + n, kind, dtype=dtype), outputs(n, kind, dtype=dtype), wanted[n])
        for n in (0, 1)
    ]


def stacked(found: list[tuple[Term, Output, Output, Tensor]]) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Values (replicas,) and gradients of the students of all replicas at once, as the training loop computes them."""
    terms, students, teachers, wanted = zip(*found, strict=True)
    student, teacher = (Output(*map(torch.stack, zip(*side, strict=True))) for side in (students, teachers))
    student, own = requiring(student), stack_module_state([t.adapter for t in terms])[0] if terms[0].adapter else {}
    values = vmap(lambda *given: terms[0](*given))(student, teacher, torch.stack(wanted), own)
    return values, torch.autograd.grad(values.sum(), student[:3], allow_unused=True)


@pytest.mark.parametrize("name, kind", CASES)
def test_term_can_be_stacked_over_replicas(name, kind):
    found = replicas(name, kind)
    values, gradients = stacked(found)
    for number, (term, student, teacher, wanted) in enumerate(found):
        alone = requiring(student)
        value = term(alone, teacher, wanted)
        torch.testing.assert_close(values[number], value, rtol=1e-4, atol=1e-6)
        for one, all_of_them in zip(torch.autograd.grad(value, alone[:3], allow_unused=True), gradients, strict=True):
            if one is not None:
                torch.testing.assert_close(all_of_them[number], one, rtol=1e-3, atol=1e-5)


def test_no_term_loads_a_symbolic_algebra_package():
    """Some functions of torch do under vmap, which costs every cell 2 s: cross_entropy, for one."""
    code = """if True:
        import sys; sys.path[:0] = [".", "tests"]
        import test_losses as tests
        for name in tests.NAMES:
            tests.stacked(tests.replicas(name, "ordinal"))
            assert "sympy" not in sys.modules, name"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])


@pytest.mark.parametrize("name", [name for name in NAMES if hasattr(plugins.load("losses", name), "Adapter")])
def test_an_adapter_alone_learns_what_the_student_already_knows(name):
    term, student, target = Term(name, "ordinal"), outputs(1, "ordinal", 64), targets("ordinal", 64)
    turn = torch.linalg.qr(torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(3), dtype=torch.float64)).Q
    teacher = student._replace(z=(student.z @ turn).relu())
    learnt = list(term.adapter.parameters())
    before = term(student, teacher, target)
    assert all(g.norm() > 0 for g in torch.autograd.grad(before, learnt))
    training = Training(seeds=[0], encoder="pooled", batch=64, epochs=1, steps=200, rate=0.01, decay=0)
    optimiser = AdamW(learnt, training)
    for _ in range(training.steps):
        value = term(student, teacher, target)
        for weight, gradient in zip(learnt, torch.autograd.grad(value, learnt), strict=True):
            weight.grad = gradient
        optimiser.step()
    assert term(student, teacher, target).item() < before.item() - 0.1 * abs(before.item())


@pytest.mark.parametrize("name", NAMES)
def test_term_states_its_paper_its_default_weight_and_its_claims(name):
    module, file = plugins.load("losses", name), Path(plugins.__file__).parent / "losses" / f"{name}.py"
    assert "arXiv" in module.__doc__ or "doi" in module.__doc__
    assert next(iter(module.Options.model_fields)) == "weight" and module.Options().weight > 0
    assert all(field.description for field in module.Options.model_fields.values()) and module.Options.__doc__
    assert not module.PROPERTIES - {"zero", "minimal", *MOVES} and not {"zero", "minimal"} <= module.PROPERTIES
    assert len(file.read_text().splitlines()) < 60


@pytest.mark.parametrize("name", [name for name in NAMES if hasattr(plugins.load("losses", name), "unfit")])
def test_what_a_term_is_unfit_for_is_told_in_words(name):
    reasons = [plugins.load("losses", name).unfit(kind, n) for kind, n in KINDS.items()]
    reasons += [plugins.load("losses", name).unfit("classification", n) for n in (2, 3)]
    assert "" in reasons and any(reasons)
    for reason in filter(None, reasons):  # it follows the name of the term
        assert len(reason.split()) > 4 and reason[0].islower() and reason[-1] not in ".\n"
