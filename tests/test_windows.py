"""Windows of continuous annotations: by time stamp, delayed, and dropped where too little is labelled."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.reading.windows import Windows, cut, vote


def trace(times, **labels):
    return np.asarray(times, float), pd.DataFrame(labels)


def test_a_label_is_the_mean_over_the_delayed_window():
    times, labels = trace(np.arange(250) * 0.04, arousal=np.arange(250.0))
    found, lost = cut(times, labels, Windows(length_s=2.0, hop_s=1.0, delay_s=1.0, min_valid=0.5))
    assert found.start_s.tolist() == list(range(9)) and (found.end_s - found.start_s == 2).all()
    for row in found[:8].itertuples():
        inside = (times >= row.start_s + 1 - 1e-9) & (times < row.end_s + 1 - 1e-9)
        assert row.arousal == pytest.approx(labels.arousal[inside].mean()) and row.frames == inside.sum()
        assert row.arousal_variance == pytest.approx(labels.arousal[inside].var(ddof=0))
    assert lost == 0 and found.frames.iloc[-1] == 25  # half of the last window lies beyond the annotation


def test_frames_are_counted_by_time_not_by_position():
    """The second half runs at half the rate: as many seconds, half the frames."""
    times = np.r_[np.arange(100) * 0.02, 2 + np.arange(50) * 0.04]
    found, _ = cut(
        *trace(times, valence=np.r_[np.zeros(100), np.ones(50)]), Windows(length_s=1.0, hop_s=1.0, min_valid=0.4)
    )
    assert found.frames.tolist() == [50, 50, 25, 25] and found.valence.tolist() == [0, 0, 1, 1]


def test_windows_with_too_few_labelled_frames_are_dropped_and_counted():
    values = np.where((np.arange(100) >= 40) & (np.arange(100) < 56), np.nan, 1.0)
    found, lost = cut(*trace(np.arange(100) * 0.1, valence=values), Windows(length_s=2.0, hop_s=2.0, min_valid=0.5))
    assert found.number.tolist() == [0, 1, 3, 4] and lost == 1


def test_a_frame_counts_only_where_every_label_is_there():
    labels = {"arousal": np.r_[np.nan, np.ones(9)], "valence": np.r_[np.ones(9), np.nan]}
    found, _ = cut(*trace(np.arange(10) * 0.1, **labels), Windows(length_s=1.0, hop_s=1.0))
    assert found.frames.tolist() == [8]


def test_classes_are_voted_for_and_disagreement_is_dropped():
    codes = pd.Series(
        np.r_[np.ones(100), np.full(95, 2.0), np.full(5, 3.0), np.full(50, 1.0), np.full(50, 2.0)], name="state"
    )
    found, lost = vote(np.arange(300) / 10, codes, Windows(length_s=10.0, hop_s=10.0, agreement=0.9))
    assert found.state.tolist() == [1, 2] and lost == 1


def test_nothing_to_cut_is_no_window():
    windows = Windows(length_s=2.0, hop_s=1.0)
    for times in ([], [0.0], [0.0, 0.5]):
        found, lost = cut(*trace(times, valence=np.zeros(len(times))), windows)
        assert len(found) == 0 and lost == 0
    assert len(vote(np.arange(100) / 10, pd.Series(np.full(100, np.nan), name="state"), windows)[0]) == 0


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(-1, 1), min_size=2, max_size=80), st.floats(0.05, 3), st.floats(0.05, 3), st.floats(0, 2),
    st.floats(0.01, 0.5),
)  # fmt: skip
def test_any_trace_gives_labels_within_its_range(values, length, hop, delay, step):
    times, labels = trace(np.arange(len(values)) * step, valence=values)
    found, lost = cut(times, labels, Windows(length_s=length, hop_s=hop, delay_s=delay))
    assert found.valence.between(min(values) - 1e-9, max(values) + 1e-9).all() and lost >= 0
    assert (found.frames >= 1).all() and (found.valence_variance >= 0).all()
