"""Measures as pandas and statsmodels do them, in an environment of their own that does not have this package.

Started by `run`: ``python peers.py WAY FOLDER ANSWER``. The pandas ways read the Parquet files that the benchmarks make
and count as an analyst would; they have no interval, and do not check their rows.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from measuring import cost_of, tell

LONG_ENOUGH = 0.2


def training_reach(folder: Path) -> Any:
    """Distinct people who attended, by agency, beside the eligible staff."""
    pandas = import_module("pandas")
    columns = ["person", "agency", "status", "learner"]
    bookings = pandas.concat(
        pandas.read_parquet(path, columns=columns) for path in sorted(folder.glob("bookings_*.parquet"))
    )
    came = bookings[(bookings["status"] == "attended") & ~bookings["learner"].isin(["trainer", "test", "out_of_area"])]
    people = came[["agency", "person"]].drop_duplicates().groupby("agency").size().rename("numerator")
    staff = (
        pandas.read_parquet(folder / "workforce.parquet").set_index("agency")["eligible_staff"].rename("denominator")
    )
    found = people.to_frame().join(staff, how="outer").astype("Float64").reset_index()
    found["numerator"] = found["numerator"].fillna(0).astype("Int64")
    known = (found["denominator"] > 0) & (found["numerator"] <= found["denominator"])
    found["proportion"] = (found["numerator"] / found["denominator"]).where(known)
    found["denominator"] = found["denominator"].astype("Int64")
    return found


def repeat_plan_rate(folder: Path) -> Any:
    """Second or subsequent plans by reporting year and authority."""
    pandas = import_module("pandas")
    columns = ["plan", "child", "authority", "start_date", "previous_plans"]
    plans = pandas.concat(pandas.read_parquet(path, columns=columns) for path in sorted(folder.glob("plans_*.parquet")))
    plans = plans.sort_values(["authority", "child", "start_date", "plan"], ignore_index=True)
    start, known = pandas.to_datetime(plans["start_date"]), plans["previous_plans"].notna()
    repeat = (plans["previous_plans"] > 0) | (plans.groupby(["authority", "child"]).cumcount() > 0)
    plans["time_period"] = (start.dt.year + (start.dt.month > 3)).astype(str)
    plans["numerator"], plans["denominator"] = (repeat & known).astype("int64"), known.astype("int64")
    found = plans.groupby(["time_period", "authority"])[["numerator", "denominator"]].sum().reset_index()
    found["proportion"] = (found["numerator"] / found["denominator"]).where(found["denominator"] > 0)
    return found


def mixed(folder: Path) -> Callable[[], object]:
    """A fit of statsmodels, to the sessions and gains of a file; its warnings are kept quiet."""
    data = import_module("numpy").load(folder / "gains.npz")
    frame = import_module("pandas").DataFrame({"session": data["session"], "gain": data["gain"]})
    model = import_module("statsmodels.formula.api").mixedlm

    def fit() -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return model("gain ~ 1", frame, groups="session").fit(reml=True)

    return fit


def main() -> None:
    """Go one way once, write its answer, and print its cost."""
    way, folder, answer = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if way == "mixed":
        fit = mixed(folder)
        first = cost_of(fit)  # as of the others, the first call is not counted
        return tell(cost_of(fit, max(1, round(LONG_ENOUGH / first.wall))))
    count = partial({"training_reach": training_reach, "repeat_plan_rate": repeat_plan_rate}[way], folder)
    import_module("pandas"), import_module("pyarrow.parquet")
    found: list[Any] = []
    cost = cost_of(lambda: found.append(count()))
    found[0].to_parquet(answer, index=False)
    return tell(cost)


if __name__ == "__main__":
    main()
