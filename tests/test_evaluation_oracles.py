"""Every stored answer of R and Python packages that the library computes, to nine digits; and why the rest is not.

`PAIRED`, `OTHERS` and `NOT_COMPUTED` name each field of the stored answers once: the function that gives the number, or
the reason why none does. A field that stands in none of them fails a test.
"""

import json
import math
from collections import Counter
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

import plain_evaluation as plain
from safeguarding_analytics.clustered import clustered_mean, random_effects, standard_errors
from safeguarding_analytics.exact_tests import rank_biserial, sign_test, wilcoxon
from safeguarding_analytics.knowledge import at_maximum, knowledge_gain
from safeguarding_analytics.nonresponse import gain_under_assumptions
from safeguarding_analytics.paired import hedges_correction
from safeguarding_analytics.resampling import abc_interval, bca_interval
from safeguarding_analytics.sizes import PairedSizes, effect_sizes, paired_sizes
from safeguarding_analytics.two_waves import two_wave_change

EVALUATION = Path(__file__).parents[2] / "shared" / "data" / "evaluation"
pytestmark = pytest.mark.skipif(not EVALUATION.exists(), reason="../shared is not beside the project")

DECIMALS = 10
"""Scores have at most two decimals: differences that agree to ten are the same."""


@cache
def oracles():
    return json.loads((EVALUATION / "oracles.json").read_text()) if EVALUATION.exists() else {}


@cache
def stored(name):
    """The table behind a block: id, pre, post, and study where there is one."""
    numbers = {"id": pl.String, "pre": pl.Float64, "post": pl.Float64}
    return pl.read_csv(EVALUATION / "csv" / f"{name}.csv", schema_overrides=numbers)


def scores_of(name, session=None):
    wide = stored(name).select(
        pl.col("id").alias("person"),
        (pl.col(session) if session else pl.lit("s1")).alias("session"),
        pl.lit("score").alias("item"),
        "pre",
        "post",
    )
    return wide.unpivot(["pre", "post"], index=["session", "person", "item"], variable_name="wave", value_name="score")


def item_of(most=1e6):
    return pl.DataFrame({"item": ["score"], "minimum": [-1e6], "maximum": [float(most)], "reversed": [False]})


class Pairs(NamedTuple):
    """A block's pairs, and what the functions want of them."""

    first: list[float]
    second: list[float]
    gains: list[float]
    counts: list[int]
    row: dict
    sizes: PairedSizes

    @property
    def n(self):
        return len(self.first)

    @property
    def mean(self):
        """The one-sample interval; None where it does not exist: one person, or no spread."""
        if self.n < 2 or len(self.gains) == 1:
            return None
        squares = sum(count * gain**2 for gain, count in zip(self.gains, self.counts, strict=True))
        total = math.fsum(count * gain for gain, count in zip(self.gains, self.counts, strict=True))
        return clustered_mean([total], [self.n], squares)


@cache
def pairs_of(name):
    table = stored(name).drop_nulls(["pre", "post"])
    first, second = table["pre"].to_list(), table["post"].to_list()
    counted = Counter(round(after - before, DECIMALS) + 0.0 for before, after in zip(first, second, strict=True))
    gains = sorted(counted)
    row = knowledge_gain(scores_of(name), item_of(), cluster=None).row(0, named=True)
    most = oracles()[name].get("scale_max") or 1e6
    least = 0 if "scale_max" in oracles()[name] else -1e6
    sizes = paired_sizes(first, second, minimum=least, maximum=most)
    return Pairs(first, second, gains, [counted[gain] for gain in gains], row, sizes)


def signed_ranks(pairs, **options):
    return wilcoxon(pairs.gains, pairs.counts, **options)


def smaller_sum(pairs, **options):
    """The smaller of the two sums of ranks, which other packages call W."""
    up = signed_ranks(pairs, **options).statistic
    fell = sum(count for gain, count in zip(pairs.gains, pairs.counts, strict=True) if gain < 0)
    rose = sum(count for gain, count in zip(pairs.gains, pairs.counts, strict=True) if gain > 0)
    first = pairs.n - fell - rose if options.get("zeros") == "pratt" else 0
    changed = rose + fell
    return min(up, changed * (changed + 1) / 2 + first * changed - up)


def full(pairs, name, place):
    most = oracles()[name]["scale_max"]
    return at_maximum(scores_of(name), item_of(most))["numerator"][place]


PAIRED = {
    # counts and means: knowledge_gain
    "n_pre": lambda p: p.row["n_pre"],
    "n_post": lambda p: p.row["n_post"],
    "n_paired": lambda p: p.row["n_pairs"],
    "n_up": lambda p: p.row["n_up"],
    "n_same": lambda p: p.row["n_same"],
    "n_down": lambda p: p.row["n_down"],
    "mean_pre": lambda p: p.row["mean_pre"],
    "mean_post": lambda p: p.row["mean_post"],
    "mean_gain": lambda p: p.row["mean_change"],
    # the interval of persons: clustered_mean of one cluster, which knowledge_gain gives from 10 pairs on
    "t_test.t": lambda p: p.mean and p.mean.mean / p.mean.standard_error,
    "t_test.df": lambda p: p.mean and p.mean.degrees_of_freedom,
    "t_test.ci95": lambda p: p.mean and [p.mean.lower, p.mean.upper],
    "python.scipy_ttest_rel.t": lambda p: p.mean and p.mean.mean / p.mean.standard_error,
    "python.scipy_ttest_rel.df": lambda p: p.mean and p.mean.degrees_of_freedom,
    "python.scipy_ttest_rel.ci95": lambda p: p.mean and [p.mean.lower, p.mean.upper],
    "python.pingouin_ttest_paired.T": lambda p: p.mean and p.mean.mean / p.mean.standard_error,
    "python.pingouin_ttest_paired.dof": lambda p: p.mean and p.mean.degrees_of_freedom,
    # effect sizes: paired_sizes
    "sd_pre": lambda p: p.sizes.sd_pre,
    "sd_post": lambda p: p.sizes.sd_post,
    "sd_gain": lambda p: p.sizes.sd_gain,
    "r": lambda p: p.sizes.correlation,
    "d_z": lambda p: p.sizes.d_z,
    "d_av": lambda p: p.sizes.d_av,
    "d_pre_becker": lambda p: p.sizes.d_pre,
    "d_rm": lambda p: p.sizes.d_rm,
    "g_av_df_n_minus_1": lambda p: p.sizes.g_av,
    "python.pingouin_effsize_cohen_paired": lambda p: p.sizes.d_av,
    "hake_gain_of_means": lambda p: p.sizes.normalised_gain,
    "marx_cummings_c_mean": lambda p: p.sizes.normalised_change,
    # Hedges' correction: hedges_correction
    "J_n_minus_1": lambda p: hedges_correction(p.n - 1) if p.n > 1 else None,
    "J_2n_minus_2": lambda p: hedges_correction(2 * p.n - 2) if p.n > 1 else None,
    # tests by counts: sign_test, wilcoxon, rank_biserial
    "sign_test_p": lambda p: sign_test(p.row["n_up"], p.row["n_down"]),
    "rank_biserial_zeros_dropped": lambda p: rank_biserial(p.gains, p.counts),
    "wilcoxon_R_default.V": lambda p: signed_ranks(p) and signed_ranks(p).statistic,
    "wilcoxon_exact_zeros_dropped_exactRankTests.V": lambda p: signed_ranks(p) and signed_ranks(p).statistic,
    "wilcoxon_exact_zeros_dropped_exactRankTests.p": lambda p: signed_ranks(p) and signed_ranks(p).p_value,
    "wilcoxon_exact_zeros_dropped_coin.Z": lambda p: signed_ranks(p) and signed_ranks(p).z,
    "wilcoxon_exact_zeros_dropped_coin.p": lambda p: signed_ranks(p) and signed_ranks(p).p_value,
    "wilcoxon_exact_pratt_coin.Z": lambda p: signed_ranks(p) and signed_ranks(p, zeros="pratt").z,
    "wilcoxon_exact_pratt_coin.p": lambda p: signed_ranks(p) and signed_ranks(p, zeros="pratt").p_value,
    "wilcoxon_asymptotic_pratt_coin.Z": lambda p: signed_ranks(p) and signed_ranks(p, zeros="pratt", exact=False).z,
    "wilcoxon_asymptotic_pratt_coin.p": lambda p: (
        signed_ranks(p) and signed_ranks(p, zeros="pratt", exact=False).p_value
    ),
    "python.scipy_wilcoxon_wilcox_asymptotic.W": lambda p: signed_ranks(p) and smaller_sum(p),
    "python.scipy_wilcoxon_wilcox_asymptotic.p": lambda p: signed_ranks(p) and signed_ranks(p, exact=False).p_value,
    "python.scipy_wilcoxon_pratt_asymptotic.W": lambda p: signed_ranks(p) and smaller_sum(p, zeros="pratt"),
    "python.scipy_wilcoxon_pratt_asymptotic.p": lambda p: (
        signed_ranks(p) and signed_ranks(p, zeros="pratt", exact=False).p_value
    ),
    "python.scipy_wilcoxon_wilcox_permutation_exact": lambda p: signed_ranks(p) and signed_ranks(p).p_value,
}
"""Fields of a block of pairs, and how the library works them out."""

WITH_NAME = {"n_at_ceiling_pre": 0, "n_at_ceiling_post": 1}
"""at_maximum, row before or after."""

OWN_TEST = {
    "abc_ci_deterministic": "abc_interval; R differentiates by differences, and stops at 0.0008 standard errors",
    "boot_bca_10000_seed1.bca": "bca_interval, to 0.1 standard errors",
    "python.scipy_boot_bca_10000": "bca_interval, to 0.1 standard errors",
}

DESCRIBES = "describes the block"
OF_THE_MEAN = "intervals are those of the mean change, which allow for clusters, over the standard deviation"
NOT_COMPUTED = {
    "csv": DESCRIBES,
    "source": DESCRIBES,
    "published": DESCRIBES,
    "scale_max": DESCRIBES,
    "n_rows": "rows of the file: somebody without an answer is in no table of answers",
    "median_gain": "a gain of the median person says nothing of the sum of learning; the mean is reported",
    "t_test.p": "an interval is given instead of a p value",
    "d_av_meansd": "another definition (mean of the two standard deviations)",
    "g_z": "d_z is not corrected: it never leads",
    "g_av_df_2n_minus_2": "another definition (Cumming's degrees of freedom)",
    "d_z_ci_nct_effectsize083": OF_THE_MEAN,
    "d_av_ci_normal_effectsize2026": OF_THE_MEAN,
    "wilcoxon_R_default.p": "normal approximation with continuity correction; ours is exact",
    "wilcoxon_R_default.pseudomedian": "a numeric approximation, and not reported",
    "wilcoxon_R_default.ci95": "a numeric approximation, and not reported",
    "rank_biserial_effectsize083.est": "red line: +1 where nobody changed or all fell; see rank_biserial_zeros_dropped",
    "rank_biserial_effectsize083.ci": "no interval is given",
    "boot_bca_10000_seed1.perc": "percentile intervals are not given",
    "hake_mean_of_gains_excl_ceiling": "biased by measurement error; the gain of the means is given",
    "python.scipy_ttest_rel.p": "an interval is given instead of a p value",
    "python.scipy_wilcoxon_wilcox_auto": "red line: chooses an exact p that is wrong with ties",
    "python.scipy_wilcoxon_wilcox_exact": "red line: wrong with ties",
    "python.scipy_wilcoxon_pratt_auto": "red line: chooses an exact p that is wrong with ties and zeros",
    "python.scipy_wilcoxon_pratt_exact": "red line: wrong with zeros",
    "python.scipy_wilcoxon_zsplit_auto": "zeros split in halves: not offered",
    "python.scipy_wilcoxon_zsplit_exact": "zeros split in halves: not offered",
    "python.scipy_wilcoxon_zsplit_asymptotic": "zeros split in halves: not offered",
    "python.scipy_permutation_signflip_p": "drawn at random; the exact signed-rank test is given",
    "python.pingouin_ttest_paired.p_val": "an interval is given instead of a p value",
    "python.pingouin_ttest_paired.alternative": DESCRIBES,
    "python.pingouin_ttest_paired.CI95": "rounded to two decimals",
    "python.pingouin_ttest_paired.cohen_d": "without its sign; see pingouin_effsize_cohen_paired",
    "python.pingouin_ttest_paired.power": "power after the fact is not given",
    "python.pingouin_ttest_paired.BF10": "Bayes factors are not given",
    "python.pingouin_effsize_hedges_paired": "approximate correction, with other degrees of freedom",
    "python.pingouin_wilcoxon": "red line: rank-biserial 1.0 of one person; the rest is scipy's",
    "python.pingouin_bootci_bca_mean": "rounded to two decimals",
}

OTHERS = {
    "cluster_sai": {
        "n": "knowledge_gain",
        "k": "knowledge_gain",
        "sizes": DESCRIBES,
        "mean": "knowledge_gain",
        "se_iid": "standard_errors",
        "se_CR0": "standard_errors",
        "se_CR1": "standard_errors",
        "se_CR1S": "standard_errors: of a mean alone it is CR1",
        "se_CR2": "knowledge_gain",
        "se_CR3": "standard_errors",
        "CR2_df_satt": "knowledge_gain",
        "CR2_p": "an interval is given instead of a p value",
        "CR2_ci95": "knowledge_gain",
        "reml": "random_effects: mean, se, sd_between, sd_within; no likelihood, no Kenward-Roger, no other df",
        "anova": "the estimator of moments is not used: REML is",
        "cluster_means_t": "means of means give small sessions the weight of large ones",
    },
    "unpaired_sai": {
        "n_people": "gain_under_assumptions",
        "mmrm_gls_unstructured_REML": "gain_under_assumptions, two_wave_change",
        "random_intercept": "takes the two waves to vary alike; the unstructured model does not",
        "all_available_unpaired_diff": "treats the waves as two samples: never done",
        "complete_case": "knowledge_gain",
    },
    "partial_sleep": {
        "random_intercept_REML": "takes the two waves to vary alike; the unstructured model does not",
        "gls_unstructured_REML": "two_wave_change (fewer than ten pairs, so in no table)",
    },
    "Dyestuff2": {
        "csv": DESCRIBES,
        "source": DESCRIBES,
        "mean": "random_effects",
        "se": "random_effects",
        "sd_between": "random_effects",
        "sd_within": "random_effects",
        "reml_crit": "the likelihood itself is not given",
        "msb": "mean squares are not given",
        "msw": "mean squares are not given",
    },
    "_python_versions": dict.fromkeys(("scipy", "numpy", "pingouin", "statsmodels"), DESCRIBES),
}
SURVIVAL = ("km_lung_loglog", "km_lung_log", "km_bladder1_first_recurrence_months", "km_freireich_6mp")
"""Time to a second plan is no part of the evaluation of training: nothing of these is computed."""

NOISY = "sai_calm_score"
"""Its differences of twentieths are ranked by R and scipy as their binary rounding makes them: see the tests below."""

OF_RANKS = [name for name in PAIRED if "wilcoxon" in name or "rank_biserial" in name]


def leaves(block, before=""):
    """Path and value of each field; a list is one value."""
    for name, value in block.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{before}{name}.")
        else:
            yield before + name, value


def blocks_of_pairs():
    return [name for name, block in oracles().items() if "n_paired" in block]


def explained(table, path):
    """Whether a path, or what it lies in, or something that lies in it, stands in a table."""
    return any(path == name or path.startswith(f"{name}.") or name.startswith(f"{path}.") for name in table)


def test_every_stored_field_is_computed_or_has_a_reason():
    unexplained = []
    for name, block in oracles().items():
        if name in SURVIVAL:
            continue
        tables = [OTHERS.get(name, {})]
        if "n_paired" in block:
            tables += [PAIRED, WITH_NAME, OWN_TEST, NOT_COMPUTED]
        for path, _ in leaves(block):
            if not any(explained(table, path) for table in tables):
                unexplained.append(f"{name}: {path}")
    assert unexplained == []


def is_number(value):
    return value is not None and not isinstance(value, str) and not math.isnan(value)


def nobody_changed(name):
    return oracles()[name]["n_up"] + oracles()[name]["n_down"] == 0


@pytest.mark.parametrize("name", blocks_of_pairs())
def test_stored_answers_of_pairs_to_nine_digits(name):
    pairs, block = pairs_of(name), oracles()[name]
    wrong, compared = [], 0
    for path, wanted in leaves(block):
        if isinstance(wanted, str) or (name == NOISY and path in OF_RANKS):
            continue
        if path in WITH_NAME:
            found = full(pairs, name, WITH_NAME[path])
        elif path in PAIRED:
            found = PAIRED[path](pairs)
        else:
            continue
        if path == "g_av_df_n_minus_1" and pairs.n < 3:
            wanted = None  # the correction is 0 there: see paired_sizes
        if nobody_changed(name) and path in OF_RANKS:
            wanted = None  # R gives V = 0 of nobody
        if pairs.mean is None and "ttest" in path.replace("_", ""):
            wanted = None  # red line: t = ∞ where all gained the same; degrees of freedom of no test
        compared += 1
        if isinstance(wanted, list):
            ends = found if isinstance(found, list) else [found] * len(wanted)
            same = all(
                plain.close(one, other if is_number(other) else None) for one, other in zip(ends, wanted, strict=True)
            )
        elif path.endswith((".p", "_p")) and is_number(wanted):
            same = found == pytest.approx(wanted, rel=1e-9, abs=0)  # of the smallest p values too
        else:
            same = plain.close(found, wanted if is_number(wanted) else None)
        if not same:
            wrong.append(f"{path}: {found!r}, stored {wanted!r}")
    assert compared > 20
    assert wrong == []


@pytest.mark.parametrize("name", blocks_of_pairs())
def test_what_a_package_refused_is_no_number_of_ours(name):
    pairs, block = pairs_of(name), oracles()[name]
    for path, value in leaves(block):
        if path.startswith("python.") and pairs.n:
            continue  # scipy refuses to look at one pair, of which an exact p is 1
        if isinstance(value, str) and value.startswith("ERROR") and "overflow" not in value:
            inside = {field: of for field, of in PAIRED.items() if field.startswith(f"{path}.") or field == path}
            assert {field: of(pairs) for field, of in inside.items()} == dict.fromkeys(inside)


@pytest.mark.parametrize("name", blocks_of_pairs())
def test_tables_of_the_stored_pairs_hold_no_number_that_is_not_there(name):
    pairs = pairs_of(name)
    estimates = effect_sizes(scores_of(name), item_of())
    if pairs.n < 3:
        assert estimates["estimate"].null_count() == estimates.height
    if pairs.n < 10 or len(pairs.gains) == 1:
        assert pairs.row["lower"] is None
        assert estimates["lower"].null_count() == estimates.height
    for table in (estimates, gain_under_assumptions(scores_of(name), item_of())):
        numbers = table.select(pl.col(pl.Float64)).to_series().drop_nulls()
        assert numbers.is_finite().all()


def standard_error(pairs):
    return pairs.sizes.sd_gain / math.sqrt(pairs.n)


@pytest.mark.parametrize("name", blocks_of_pairs())
def test_the_interval_that_allows_for_skew_equals_abc_of_r(name):
    pairs, wanted = pairs_of(name), oracles()[name]["abc_ci_deterministic"]
    found = abc_interval(pairs.gains, pairs.counts)
    if isinstance(wanted, str) or None in wanted:
        assert found is None
    else:
        assert found == pytest.approx(wanted, abs=0.001 * standard_error(pairs))


@pytest.mark.parametrize("name", blocks_of_pairs())
def test_the_bootstrap_interval_is_that_of_r_or_of_scipy(name):
    pairs, block = pairs_of(name), oracles()[name]
    found = bca_interval(pairs.gains, pairs.counts, resamples=20_000, seed=1)
    stored_intervals = [block["boot_bca_10000_seed1"], block.get("python", {}).get("scipy_boot_bca_10000")]
    stored_intervals = [one["bca"] if isinstance(one, dict) else one for one in stored_intervals]
    known = [one for one in stored_intervals if isinstance(one, list) and len(one) == 2 and all(map(is_number, one))]
    if pairs.n < 2 or len(pairs.gains) == 1:
        assert found is None
        return
    assert known
    # With few distinct gains the ends jump from one possible mean to the next, and R and scipy differ by more than 0.1
    # standard errors: so an end may be one such step (smallest difference of two gains, over n) off one of them.
    step = min(b - a for a, b in zip(pairs.gains, pairs.gains[1:], strict=False)) / pairs.n
    allowed = max(0.1 * standard_error(pairs), step) + 1e-9
    for end in (0, 1):
        assert min(abs(found[end] - one[end]) for one in known) <= allowed, (found, known)


# Thirteen studies as clusters, half pairs, and no variance between batches.


def test_the_cluster_robust_interval_of_thirteen_studies():
    stored_values = oracles()["cluster_sai"]
    row = knowledge_gain(scores_of(NOISY, "study"), item_of()).row(0, named=True)
    assert (row["n_pairs"], row["n_clusters"]) == (stored_values["n"], stored_values["k"])
    for ours, theirs in (
        ("mean_change", "mean"),
        ("standard_error", "se_CR2"),
        ("degrees_of_freedom", "CR2_df_satt"),
    ):
        assert row[ours] == pytest.approx(stored_values[theirs], abs=1e-9)
    assert [row["lower"], row["upper"]] == pytest.approx(stored_values["CR2_ci95"], abs=1e-9)


def sums_of(cluster, gain):
    """Sums and sizes by cluster, and the sum of squares."""
    table = gain.group_by(cluster).agg(pl.col("gain").sum(), pl.len()).sort(cluster)
    return table["gain"].to_list(), table["len"].to_list(), float((gain["gain"] ** 2).sum())


def test_all_standard_errors_and_random_effects_of_thirteen_studies():
    stored_values = oracles()["cluster_sai"]
    gain = stored(NOISY).drop_nulls(["pre", "post"]).with_columns(gain=pl.col("post") - pl.col("pre"))
    sums = sums_of("study", gain)
    assert dict(zip(sorted(set(gain["study"])), sums[1], strict=True)) == stored_values["sizes"]
    found = standard_errors(*sums)
    names = {"iid": "se_iid", "cr0": "se_CR0", "cr1": "se_CR1", "cr2": "se_CR2", "cr3": "se_CR3"}
    names["satterthwaite_df"] = "CR2_df_satt"
    for ours, theirs in names.items():
        assert getattr(found, ours) == pytest.approx(stored_values[theirs], abs=1e-9)
    assert found.cr1 == pytest.approx(stored_values["se_CR1S"], abs=1e-9)
    effects, reml = random_effects(*sums), stored_values["reml"]
    assert effects.mean == pytest.approx(reml["mean"], rel=1e-6)
    assert effects.standard_error == pytest.approx(reml["se"], rel=1e-6)
    assert effects.sd_between == pytest.approx(reml["sd_between"], rel=1e-5)  # lme4 stops at 4e-7 of the variance
    assert effects.sd_within == pytest.approx(reml["sd_within"], rel=1e-6)


def test_people_with_half_a_pair_are_used_as_nlme_uses_them():
    stored_values = oracles()["unpaired_sai"]
    found = gain_under_assumptions(scores_of(NOISY, "study"), item_of())
    likely = found.filter(pl.col("assumption").str.contains("maximum likelihood")).row(0, named=True)
    mmrm = stored_values["mmrm_gls_unstructured_REML"]
    assert likely["n"] == stored_values["n_people"]
    assert likely["estimate"] == pytest.approx(mmrm["gain"], abs=1e-6)
    assert (likely["upper"] - likely["lower"]) / 2 / plain.Z95 == pytest.approx(mmrm["se"], abs=1e-6)
    assert found["estimate"][0] == pytest.approx(stored_values["complete_case"], abs=1e-9)
    effects = found.filter(pl.col("assumption").str.contains("random effects")).row(0, named=True)
    assert effects["estimate"] == pytest.approx(oracles()["cluster_sai"]["reml"]["mean"], abs=1e-6)
    assert found["n"][0] == oracles()["cluster_sai"]["n"]


@pytest.mark.parametrize(
    ("name", "block", "names"),
    [
        (NOISY, ("unpaired_sai", "mmrm_gls_unstructured_REML"), ("gain", "se", "rho")),
        ("partial_sleep", ("partial_sleep", "gls_unstructured_REML"), ("gain", "se")),
    ],
)
def test_two_waves_equal_gls_of_nlme(name, block, names):
    wanted = oracles()[block[0]][block[1]]
    table = stored(name)
    both = table.drop_nulls(["pre", "post"]).select("pre", "post").rows()
    before = table.filter(pl.col("post").is_null())["pre"].drop_nulls().to_list()
    after = table.filter(pl.col("pre").is_null())["post"].drop_nulls().to_list()
    found = two_wave_change(both, before, after)
    values = {"gain": found.change, "se": found.standard_error, "rho": found.correlation}
    for field in names:
        assert values[field] == pytest.approx(wanted[field], abs=1e-6)
    assert found.n_people == len(both) + len(before) + len(after)


def test_batches_without_variance_between_them():
    wanted = oracles()["Dyestuff2"]
    table = pl.read_csv(EVALUATION / "csv" / "Dyestuff2.csv").rename({"Yield": "gain"})
    found = random_effects(*sums_of("Batch", table))
    assert found.sd_between == wanted["sd_between"] == 0
    assert found.mean == pytest.approx(wanted["mean"], abs=1e-9)
    assert found.standard_error == pytest.approx(wanted["se"], abs=1e-9)
    assert found.sd_within == pytest.approx(wanted["sd_within"], abs=1e-9)
    assert found.shrunken == pytest.approx([wanted["mean"]] * 6)


# Differences of twentieths: what is stored of their ranks comes of binary rounding.


def sum_of_ranks(gains):
    """V of Wilcoxon, rank-biserial, and the two-sided p of the normal approximation with ties; zeros dropped."""
    moved = sorted((gain for gain in gains if gain != 0), key=abs)
    place = {}
    for rank, gain in enumerate(moved, 1):
        place.setdefault(abs(gain), []).append(rank)
    mean_rank = {size: Fraction(sum(ranks), len(ranks)) for size, ranks in place.items()}
    up = sum((mean_rank[gain] for gain in moved if gain > 0), Fraction(0))
    whole = Fraction(len(moved) * (len(moved) + 1), 2)
    spread = sum(mean_rank[abs(gain)] ** 2 for gain in moved)
    z = float(2 * up - whole) / math.sqrt(spread)
    return float(up), float((2 * up - whole) / whole), math.erfc(abs(z) / math.sqrt(2))


def test_ranks_of_twentieths_are_those_of_whole_numbers():
    pairs = pairs_of(NOISY)
    twentieths = [round(20 * y) - round(20 * x) for x, y in zip(pairs.first, pairs.second, strict=True)]
    assert max(abs(20 * x - round(20 * x)) for x in (*pairs.first, *pairs.second)) < 1e-9
    up, correlation, p = sum_of_ranks(twentieths)
    assert (up, round(correlation, 6)) == (183416, -0.323639)
    found = wilcoxon(pairs.gains, pairs.counts)
    assert found.statistic == up
    assert not found.exact
    assert found.p_value == pytest.approx(p, rel=1e-9)
    assert rank_biserial(pairs.gains, pairs.counts) == pytest.approx(correlation, abs=1e-12)
    assert pairs.sizes.rank_biserial == pytest.approx(correlation, abs=1e-12)


def test_the_stored_ranks_come_out_of_differences_that_were_not_rounded():
    block, pairs = oracles()[NOISY], pairs_of(NOISY)
    up, correlation, p = sum_of_ranks([y - x for x, y in zip(pairs.first, pairs.second, strict=True)])
    assert up == block["wilcoxon_R_default"]["V"] == 183931
    assert correlation == pytest.approx(block["rank_biserial_zeros_dropped"], abs=1e-12)
    assert p == pytest.approx(block["python"]["scipy_wilcoxon_wilcox_asymptotic"]["p"], rel=1e-9)
    assert p == pytest.approx(block["wilcoxon_exact_zeros_dropped_exactRankTests"]["p"], rel=1e-9)
