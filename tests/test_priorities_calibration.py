"""Whether shares of resampled boards are right as often as they say, on simulated boards whose truth is known."""

import numpy as np
import polars as pl
import pytest

from safeguarding_analytics.priorities import rank_priorities

BOARDS, MEMBERS, ISSUES, SEATS = 400, 30, 15, 4


def simulated(generator, worth):
    """Orders by Plackett and Luce: the next issue is drawn by its worth (Gumbel noise on its logarithm)."""
    order = np.argsort(-(worth + generator.gumbel(size=(MEMBERS, ISSUES))), axis=1)
    return pl.DataFrame(
        {
            "member": np.repeat(np.arange(MEMBERS), ISSUES),
            "issue": order.ravel(),
            "rank": np.tile(np.arange(1, ISSUES + 1), MEMBERS),
        },
        schema_overrides={"issue": pl.String},
    )


@pytest.fixture(scope="module")
def boards():
    """Stated share and truth of every issue on every board."""
    generator = np.random.default_rng(20160101)
    found = []
    for board in range(BOARDS):
        worth = generator.normal(0, 1, ISSUES)  # logarithms of worth
        truth = {f"{issue}": bool(place < SEATS) for place, issue in enumerate(np.argsort(-worth))}
        ranking = rank_priorities(simulated(generator, worth), SEATS, resamples=500, seed=board)
        found.append(ranking.select("p_selected", "firmness", truth=pl.col("issue").replace_strict(truth)))
    return pl.concat(found)


@pytest.mark.parametrize(
    ("least", "below"),
    [(0.02, 0.1), (0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 0.98), (0.98, 1.01)],
)
def test_stated_shares_are_near_the_truth(boards, least, below):
    within = boards.filter((pl.col("p_selected") >= least) & (pl.col("p_selected") < below))
    assert within.height > 100
    assert within["p_selected"].mean() == pytest.approx(within["truth"].mean(), abs=0.06)


@pytest.mark.parametrize(
    ("band", "least", "most"),
    [
        ("firmly in", 0.95, 1),
        ("probably in", 0.74, 0.95),
        ("toss-up", 0.2, 0.8),
        ("probably out", 0.05, 0.26),
        ("firmly out", 0, 0.05),
    ],
)
def test_words_hold_as_often_as_they_say(boards, band, least, most):
    assert least <= boards.filter(firmness=band)["truth"].mean() <= most
