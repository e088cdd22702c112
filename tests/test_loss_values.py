"""The value of every loss term by a formula of its own: loops, scipy, POT, or another term."""

import math
from itertools import product

import numpy as np
import ot as pot
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist, cosine, pdist, squareform
from scipy.special import softmax
from scipy.stats import pearsonr
from torch.nn.functional import cross_entropy, gaussian_nll_loss, kl_div, smooth_l1_loss

from benchmark import kernels, plugins, schema
from benchmark.losses import dkd, rkd_angle, wkd_logits
from benchmark.models import Output
from benchmark.validation.terms import PRIVILEGED, Term, outputs, targets

BATCH = 12


@pytest.fixture
def pair() -> tuple[Output, Output]:
    return outputs(1, "ordinal", BATCH), outputs(0, "ordinal", BATCH)


def value(name: str, pair: tuple[Output, Output], kind: str = "ordinal", **options) -> float:
    return Term(name, kind, **options)(*pair, targets(kind, BATCH)).item()


def embeddings(pair: tuple[Output, Output]) -> tuple[np.ndarray, np.ndarray]:
    return tuple(side.z.numpy() for side in pair)


def cosines(z: np.ndarray) -> np.ndarray:
    return 1 - squareform(pdist(z, "cosine"))


def test_kd_is_the_tempered_divergence(pair):
    p, q = ((side.prediction / 2).softmax(-1) for side in pair[::-1])
    assert value("kd", pair) == pytest.approx(4 * (p * (p / q).log()).sum(-1).mean().item())


def test_kd_of_a_regression_is_the_mean_squared_error():
    pair = outputs(1, "regression", BATCH), outputs(0, "regression", BATCH)
    expected = np.mean((pair[0].prediction.numpy() - pair[1].prediction.numpy()) ** 2)
    assert value("kd", pair, "regression") == pytest.approx(expected)


def test_hint_is_the_error_of_the_regressor(pair):
    regressor = Term("hint", "ordinal").adapter.regressor
    weight, bias = regressor.weight.detach().numpy(), regressor.bias.detach().numpy()
    student, teacher = embeddings(pair)
    assert value("hint", pair) == pytest.approx(np.mean((student @ weight.T + bias - teacher) ** 2))


def test_cosine_is_the_mean_cosine_distance(pair):
    assert value("cosine", pair) == pytest.approx(
        np.mean([cosine(*rows) for rows in zip(*embeddings(pair), strict=True)])
    )


def test_sp_compares_row_normalised_gram_matrices(pair):
    grams = [z @ z.T for z in embeddings(pair)]
    one, two = (np.stack([row / np.linalg.norm(row) for row in gram]) for gram in grams)
    assert value("sp", pair) == pytest.approx(np.sum((one - two) ** 2) / BATCH**2)


def test_rkd_distance_is_the_huber_loss_of_relative_distances(pair):
    one, two = (torch.from_numpy(squareform(pdist(z) / pdist(z).mean())) for z in embeddings(pair))
    assert value("rkd_distance", pair) == pytest.approx(smooth_l1_loss(one, two).item())


@pytest.mark.parametrize("ends", [4, 16])  # 16 is more than the batch has: all angles
def test_rkd_angle_is_the_huber_loss_of_the_cosines_of_angles(pair, ends):
    found = [[], []]
    for j, i, k in product(range(BATCH), repeat=3):
        if len({i, j, k}) == 3 and max((i - j) % BATCH, (k - j) % BATCH) <= ends:
            for values, z in zip(found, embeddings(pair), strict=True):
                values.append(1 - cosine(z[i] - z[j], z[k] - z[j]))
    expected = smooth_l1_loss(*map(torch.tensor, found)).item()
    assert value("rkd_angle", pair, ends=ends) == pytest.approx(expected)


def test_some_angles_estimate_all_and_their_gradient():
    values, gradients = [], []
    for ends in (rkd_angle.Options().ends, 63):
        student, teacher = outputs(1, "ordinal", 64).z.requires_grad_(), outputs(0, "ordinal", 64)
        mixed = teacher._replace(z=student + teacher.z)
        values.append(rkd_angle.loss(mixed, teacher, rkd_angle.Options(ends=ends), None))
        gradients += torch.autograd.grad(values[-1], student)
    assert values[0].item() == pytest.approx(values[1].item(), rel=0.1)
    assert cosine(*(g.flatten() for g in gradients)) < 0.2


def test_pkt_is_the_divergence_of_neighbourhoods(pair):
    rows = []
    for z in embeddings(pair):
        close = (cosines(z) + 1) / 2
        rows.append(close / close.sum(1, keepdims=True))
    guess, truth = rows
    expected = sum(t * math.log(t / g) for t, g in zip(truth.ravel(), guess.ravel(), strict=True)) / BATCH**2
    assert value("pkt", pair) == pytest.approx(expected, rel=1e-4)


def test_cc_is_the_distance_of_kernel_matrices_to_second_order(pair):
    matrices = [np.zeros((BATCH, BATCH)) for _ in range(2)]
    for matrix, z in zip(matrices, embeddings(pair), strict=True):
        for i, j in product(range(BATCH), repeat=2):
            inner = z[i] @ z[j] / np.linalg.norm(z[i]) / np.linalg.norm(z[j])
            matrix[i, j] = sum(math.exp(-0.8) * 0.8**p / math.factorial(p) * inner**p for p in range(3))
            assert matrix[i, j] == pytest.approx(math.exp(-0.4 * (2 - 2 * inner)), abs=0.06)
    assert value("cc", pair) == pytest.approx(np.linalg.norm(matrices[0] - matrices[1]) / BATCH**2)


def test_crd_tells_true_pairs_from_the_others_of_the_batch(pair):
    one, two = Term("crd", "ordinal").adapter(*pair)
    noise = (BATCH - 1) * math.exp(1 / (2 * 128 * 0.07**2))
    total = 0.0
    for i, j in product(range(BATCH), repeat=2):
        likeness = math.exp((one[i] @ two[j]).item() / 0.07)
        chosen = likeness / (likeness + noise)
        total -= math.log(chosen if i == j else 1 - chosen)
    assert value("crd", pair) == pytest.approx(total / BATCH)


def test_the_noise_of_crd_is_that_of_a_random_memory():
    memory = (2 * torch.rand(50_000, 128, generator=torch.Generator().manual_seed(0)) - 1) * math.sqrt(3 / 128)
    view = torch.nn.functional.normalize(torch.randn(128, generator=torch.Generator().manual_seed(1)), dim=0)
    assert (memory @ view / 0.07).exp().mean().item() == pytest.approx(math.exp(1 / (2 * 128 * 0.07**2)), rel=0.02)


def test_vid_is_the_likelihood_of_a_gaussian(pair):
    mean, variance = Term("vid", "ordinal").adapter(*pair)
    torch.testing.assert_close(variance, torch.full_like(variance, 5.0))
    assert value("vid", pair) == pytest.approx(gaussian_nll_loss(mean, pair[1].z, variance.expand_as(mean)).item())


def test_mmd_is_the_mean_of_kernels_between_and_within(pair):
    one, two = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in embeddings(pair))
    scale = np.mean(cdist(two, two, "sqeuclidean"))

    def kernel(x, y):
        return np.mean([math.exp(-np.sum((x - y) ** 2) / (2 * b * scale)) for b in kernels.BANDWIDTHS])

    means = [np.mean([kernel(x, y) for x, y in product(*sides)]) for sides in ((one, one), (two, two), (one, two))]
    assert value("mmd", pair) == pytest.approx(means[0] + means[1] - 2 * means[2])


def test_kd_is_the_sum_of_the_decoupled_parts(pair):
    """Equation 6: KL = TCKD + (1 - p_t) NCKD, so DKD with beta = 1 - p_t is the plain divergence of a clip."""
    target, total = targets("ordinal", BATCH), 0.0
    for clip in range(BATCH):
        student, teacher = (Output(*(values[clip : clip + 1] for values in side)) for side in pair)
        said = (teacher.prediction / 4).softmax(-1)
        others = 1 - said[0, target[clip]].item()
        term = Term("dkd", "ordinal", alpha=1, beta=others)
        expected = kl_div((student.prediction / 4).log_softmax(-1), said, reduction="sum").item()
        assert term(student, teacher, target[clip : clip + 1]).item() == pytest.approx(16 * expected)
        total += Term("dkd", "ordinal")(student, teacher, target[clip : clip + 1]).item() / BATCH
    assert value("dkd", pair) == pytest.approx(total)


def test_dkd_has_no_second_part_for_two_classes():
    _, rest = dkd.parts(torch.randn(6, 2), torch.tensor([0, 1, 0, 1, 1, 0]))
    assert not rest.any()


def test_dist_is_one_less_the_correlations(pair):
    guess, truth = (side.prediction.softmax(-1).numpy() for side in pair)
    clips = [pearsonr(g, t).statistic for g, t in zip(guess, truth, strict=True)]
    classes = [pearsonr(g, t).statistic for g, t in zip(guess.T, truth.T, strict=True)]
    assert value("dist", pair) == pytest.approx(2 - np.mean(clips) - np.mean(classes))


def test_wkd_logits_is_the_transport_of_pot_and_a_target_part(pair):
    student, teacher = pair
    target = targets("ordinal", BATCH)
    costs = wkd_logits.class_costs(teacher.z, target, 5).numpy()
    assert (costs.diagonal() == 0).all() and (costs == costs.T).all() and 0 < costs.max() < 1
    moved = []
    for clip in range(BATCH):
        rest = [c for c in range(5) if c != target[clip]]
        rows, columns = ((side.prediction[clip, rest] / 8).softmax(-1).numpy() for side in pair)
        own = costs[np.ix_(rest, rest)]
        moved.append(np.sum(pot.sinkhorn(rows, columns, own, 0.05, numItermax=10_000, stopThr=1e-12) * own))
    said = teacher.prediction.softmax(-1)[torch.arange(BATCH), target]
    part = (said * cross_entropy(student.prediction, target, reduction="none")).mean().item()
    assert value("wkd_logits", pair, iterations=5000) == pytest.approx(part + 600 * np.mean(moved), rel=1e-6)


def test_class_costs_are_small_between_classes_that_the_teacher_sees_alike():
    rng = torch.Generator().manual_seed(0)
    target = torch.arange(60) % 3
    centres = torch.tensor([[1.0, 0.0], [0.9, 0.1], [-1.0, 0.0]])
    costs = wkd_logits.class_costs(centres[target] + 0.01 * torch.randn(60, 2, generator=rng), target, 4)
    assert costs[0, 1] < 0.1 < costs[0, 2] and costs.isfinite().all()  # the last class has no clip


def test_w2_is_the_cheapest_matching(pair):
    costs = cdist(*embeddings(pair), "sqeuclidean")
    assert value("w2", pair) == pytest.approx(costs[linear_sum_assignment(costs)].mean())
    assert value("w2", pair) == pytest.approx(pot.emd2([], [], costs))


def test_gromov_is_the_distance_of_pot(pair):
    geometries = [squareform(pdist(z, "cosine")) for z in embeddings(pair)]
    assert value("gromov", pair) == pytest.approx(pot.gromov.gromov_wasserstein2(*geometries), rel=1e-6)


def test_gromov_of_true_pairs_is_the_mean_squared_difference_of_the_geometries(pair):
    one, two = (cosines(z) for z in embeddings(pair))
    assert value("gromov", pair, prior=1.0) == pytest.approx(((one - two) ** 2).mean())


def test_masses_are_moved_as_pot_moves_them(pair):
    one, two = (cosines(z) for z in embeddings(pair))
    found = []
    for i in range(BATCH):
        anchors = np.argsort(np.where(np.arange(BATCH) == i, np.inf, two[i]))[:4]
        costs = 1 - two[np.ix_(anchors, anchors)]
        mine, theirs = (softmax(s[i, anchors] / 0.5) for s in (one, two))

        def cost(a, b, costs=costs):
            plan = pot.sinkhorn(a, b, costs, 0.1, method="sinkhorn_log", stopThr=1e-12, numItermax=10_000, warn=False)
            return (plan * costs).sum() + 0.1 * (plan * np.log(plan / np.outer(a, b))).sum()

        found.append(cost(mine, theirs) - cost(mine, mine) / 2 - cost(theirs, theirs) / 2)
    told = value("masses", pair, k=4, temperature=0.5, epsilon=0.1, iterations=2000)
    assert told == pytest.approx(np.mean(found), rel=1e-5) and told > 0


def test_centroid_is_the_distance_of_mean_rows(pair):
    one, two = (cosines(z) for z in embeddings(pair))
    assert value("centroid", pair) == pytest.approx(
        math.sqrt(sum((one[:, j] - two[:, j]).mean() ** 2 for j in range(BATCH)))
    )


def test_hallucination_counts_what_the_teacher_saw(pair):
    student, teacher = pair
    errors = [
        ((student.tokens[i, slot] - teacher.tokens[i, slot]) ** 2).mean().item()
        for i, slot in product(range(BATCH), range(1, 1 + PRIVILEGED))
        if teacher.seen[i, slot]
    ]
    assert 0 < len(errors) < BATCH * PRIVILEGED
    assert value("hallucination", pair) == pytest.approx(np.mean(errors))


def test_hallucination_asks_for_a_tnet(pair):
    student, teacher = pair
    with pytest.raises(ValueError, match="hallucination needs a student with a T-Net of its own: tnet: own"):
        value("hallucination", (student._replace(tokens=student.tokens[:, :1], seen=student.seen[:, :1]), teacher))


@pytest.mark.parametrize(
    "name, given, told",
    [
        ("kdot", {"epsilon": 1e-5}, "terms.kdot.epsilon is 1e-05: input should be greater than or equal to 0.0001"),
        ("kdot", {"k": 0}, "terms.kdot.k is 0: input should be greater than or equal to 1"),
        ("crd", {"temperature": 0}, "terms.crd.temperature is 0: input should be greater than 0"),
        ("rkd_angle", {"ends": 0}, "terms.rkd_angle.ends is 0: input should be greater than or equal to 1"),
        ("hint", {"weight": -1}, "terms.hint.weight is -1: input should be greater than or equal to 0"),
    ],
)
def test_a_value_out_of_bounds_is_told_with_its_bound(name, given, told):
    with pytest.raises(schema.BadParams) as error:
        schema.check(plugins.load("losses", name).Options, given, f"methods.some.terms.{name}")
    assert told in str(error.value)


def test_centred_kdot_sees_no_common_direction():
    teacher, student = outputs(0, "ordinal"), outputs(1, "ordinal")
    apart = student._replace(z=student.z + 5.0)
    plain, centred = Term("kdot", "ordinal"), Term("kdot", "ordinal", centre=True)
    target = targets("ordinal")
    torch.testing.assert_close(centred(student, teacher, target), centred(apart, teacher, target))
    assert (plain(student, teacher, target) - plain(apart, teacher, target)).abs() > 0.1
