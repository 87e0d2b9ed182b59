"""Who stands in an export of bookings: test users, trainers, learners from elsewhere, and people who may be the same.

Nothing is merged and nobody is left out here: people are flagged, and what may be wrong is reported by row number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import polars as pl

from safeguarding_analytics.contracts import LONG, STRAY
from safeguarding_analytics.errors import numbered
from safeguarding_analytics.sources.files import ROW
from safeguarding_analytics.sources.worksheets import say_rows

REPORT = {"finding": pl.String, "group": pl.Int64, "row": pl.Int64}
"""Columns of a report on an export: what was found, which rows belong together, and their numbers."""

TWO_ADDRESSES = "the same name under several addresses in one agency: may be one person, counted as several"
SHARED_ADDRESS = "one address under several names: may be several people, counted as one"
TEST_USER = "a test user, who takes no place"
TRAINER = "a trainer, who takes no place"
OUT_OF_AREA = "a learner from out of the area, who takes a place and is nobody's eligible staff"

FEW = 3
RARE = f"(not shown: it stands with fewer than {FEW} people and resembles no known word)"

TEST_NAME = r"\b(test|dummy|training user|sample user|test ?user|user test|demo user|do not use)( ?\d+)?\b"
"""What marks a test user in a name, or in what stands before the @ of an address; signs count as spaces."""

TEST_DOMAIN = r"@(.*\.)?(test|invalid|test\.\w+)$"
"""Domains that nobody has (RFC 2606, Reserved Top Level DNS Names, 1999), or that tests are made with."""

TITLES = {"mr", "mrs", "ms", "miss", "mx", "dr", "prof", "rev", "sir"}

TRAINER_WORDS = ("trainer", "co-trainer", "tutor", "facilitator", "presenter", "instructor", "speaker", "course leader")


def flag_learners(
    people: pl.DataFrame,
    *,
    roles: Mapping[str, str],
    home_areas: Sequence[str],
    out_of_area_agencies: Sequence[str],
    test_users: Sequence[str],
) -> pl.Series:
    """Who took the place of each row: local, out_of_area, trainer or test.

    Parameters
    ----------
    people
        One row per booking: person (an address or number), name, role, home, agency; null where not known.
    roles
        Words of the column role, "learner" or "trainer"; beside the usual ones.
    home_areas
        Areas of the board; none to take everybody for local.
    out_of_area_agencies
        Agencies whose learners are from elsewhere.
    test_users
        Further words that mark a test user in a name or an address.

    Examples
    --------
    >>> import polars as pl
    >>> people = pl.DataFrame(
    ...     {"person": ["a@kent.uk", "test.1@kent.uk"], "name": [None, "T. One"], "role": ["Trainer", None]},
    ...     schema_overrides={"home": pl.String, "agency": pl.String},
    ... ).with_columns(pl.lit(None, pl.String).alias("home"), pl.lit(None, pl.String).alias("agency"))
    >>> flag_learners(people, roles={}, home_areas=(), out_of_area_agencies=(), test_users=()).to_list()
    ['trainer', 'test']
    """
    words = dict.fromkeys(TRAINER_WORDS, "trainer") | {word.casefold().strip(): role for word, role in roles.items()}
    trainers = [word for word, role in words.items() if role == "trainer"]
    own = [plain for word in test_users if (plain := _spaced(word))]
    test = "|".join([TEST_NAME, *(rf"\b{word}\b" for word in own)])
    local_part = _as_words(pl.col("person").str.to_lowercase().str.replace(r"@.*$", ""))
    domain = pl.col("person").str.to_lowercase()
    areas, agencies = (
        [area.strip().lower() for area in home_areas],
        [name.strip().lower() for name in out_of_area_agencies],
    )
    elsewhere = pl.lit(bool(areas)) & ~pl.col("home").str.to_lowercase().is_in(areas)
    return people.select(
        pl.when(
            _yes(_as_words(pl.col("name").str.to_lowercase()).str.contains(test))
            | _yes(local_part.str.contains(test))
            | _yes(domain.str.contains(TEST_DOMAIN))
        )
        .then(pl.lit("test"))
        .when(_yes(pl.col("role").str.to_lowercase().is_in(trainers)))
        .then(pl.lit("trainer"))
        .when(_yes(elsewhere) | _yes(pl.col("agency").str.to_lowercase().is_in(agencies)))
        .then(pl.lit("out_of_area"))
        .otherwise(pl.lit("local"))
        .alias("learner")
    ).to_series()


def report_learners(people: pl.DataFrame) -> pl.DataFrame:
    """Rows of test users, trainers and learners from elsewhere, and of people who may be the same or share an address.

    Parameters
    ----------
    people
        One row per booking: person, name, agency, learner, and `ROW`.

    Returns
    -------
    pl.DataFrame
        One row per finding and row of the export, sorted: `REPORT`. No name and no address is in it.
    """
    flagged = [
        people.filter(pl.col("learner") == flag).select(
            pl.lit(finding).alias("finding"), pl.lit(1, pl.Int64).alias("group"), pl.col(ROW).alias("row")
        )
        for flag, finding in (("test", TEST_USER), ("trainer", TRAINER), ("out_of_area", OUT_OF_AREA))
    ]
    plain = people.select(ROW, "agency", pl.col("person").str.to_lowercase(), "learner", _plain_name(people["name"]))
    named = plain.filter((pl.col("name") != "") & (pl.col("learner") != "test"))
    return pl.concat(
        [
            _several(named, ["name", "agency"], "person", TWO_ADDRESSES),
            _several(named, ["person"], "name", SHARED_ADDRESS),
            *flagged,
        ]
    )


def say_report(report: pl.DataFrame) -> list[str]:
    """The findings of a report as notes: how many groups and rows, and the first rows."""
    notes = []
    for (finding,), rows in report.group_by("finding", maintain_order=True):
        numbers = rows["row"].unique().sort().to_list()
        times = f"{numbered(rows['group'].n_unique(), 'time')}, " if finding in (TWO_ADDRESSES, SHARED_ADDRESS) else ""
        notes.append(f"{finding}: {times}{say_rows(numbers)}")
    return notes


def personal_cells(people: pl.DataFrame, cells: Iterable[pl.Series], words: pl.Series) -> frozenset[str]:
    """Cells of other columns that hold an address, a number or a name of the export, in lower case.

    A row shifted by a cell puts a name where an agency should be; a report must not show it.

    Parameters
    ----------
    people
        One row per booking: person and name.
    cells
        Columns that a report may show.
    words
        A column that should hold a few words only, so that a single part of a name gives it away.
    """
    whole = {text for name in ("person", "name") for text in _different(people[name]).to_list()}
    named = [[word for word in words if word] for words in _words(_different(people["name"])).to_list()]
    parts = {word for words in named for word in words}
    ends = [(words[0], words[-1]) for words in named if len(words) > 1]
    pairs = {pair for first, last in ends for pair in ((first, last), (last, first))}

    def is_personal(text: str, *, strict: bool) -> bool:
        if text in whole or "@" in text:
            return True
        said = _spaced(text).split()
        known = [word for word in said if len(word) > 1 and word in parts]
        if not known:
            return False
        return strict or all(word in parts for word in said) or not pairs.isdisjoint(pairwise(said))

    loose = {text for column in cells for text in _different(column).to_list() if is_personal(text, strict=False)}
    return frozenset(loose | {text for text in _different(words).to_list() if is_personal(text, strict=True)})


def rare_cells(people: pl.DataFrame, cells: Iterable[pl.Series]) -> frozenset[str]:
    """Cells of other columns that stand with fewer than `FEW` people, in lower case.

    Two rows of one person that are shifted by a cell put a name into a column twice, and into no column of names.
    """
    rare: set[str] = set()
    for column in cells:
        both = pl.DataFrame({"cell": column.str.to_lowercase(), "person": people["person"].str.to_lowercase()})
        several = both.filter(pl.col("cell").str.contains(r"\pL") & (pl.col("cell").str.len_chars() > 3))
        people_each = several.group_by("cell").agg(pl.col("person").drop_nulls().n_unique())
        rare |= set(people_each.filter(pl.col("person") < FEW)["cell"])
    return frozenset(rare)


def hide_personal(problems: pl.DataFrame, personal: frozenset[str], rare: frozenset[str]) -> pl.DataFrame:
    """A report of broken rules without what is, or could be, a person's in it.

    What is rare may be shown only where a word like it is proposed.
    """

    def say(text: str) -> str:
        parts = {part.casefold() for part in re.findall(r'"([^"]*)"', text)[:1]}
        if parts & personal:
            return STRAY
        if any(re.fullmatch(r"\d{5,}(\.\d+)?", part) for part in parts):
            return LONG
        return RARE if parts & rare and "Did you mean" not in text else text

    shown = {text: say(text) for text in problems["found"].drop_nulls().unique() if text.startswith('"')}
    return problems.with_columns(pl.col("found").replace(shown)) if shown else problems


def identifying_texts(people: pl.DataFrame) -> dict[str, str]:
    """What must stand nowhere outside: every address or number and every name, also with its parts the other way round.

    Test users are left out, because "test user" is a word of any text.
    """
    real = people.filter(pl.col("learner") != "test")
    texts = dict.fromkeys(real["person"].drop_nulls().unique().to_list(), "person")
    for name in real["name"].drop_nulls().unique().to_list():
        first, comma, last = (part.strip() for part in name.partition(","))
        parts = f"{last} {first}" if comma else name
        turned = parts.split()
        others = (
            [parts, f"{turned[-1]}, {' '.join(turned[:-1])}", f"{turned[-1]} {' '.join(turned[:-1])}"]
            if len(turned) > 1
            else [parts]
        )
        texts |= dict.fromkeys([name, *others], "name")
    return {text: column for text, column in texts.items() if text}


def _spaced(text: str) -> str:
    """Words alone, in lower case: signs count as spaces."""
    return " ".join(re.sub(r"[\W_]+", " ", text.casefold()).split())


def _as_words(text: pl.Expr) -> pl.Expr:
    return text.str.replace_all(r"[\W_]+", " ").str.strip_chars()


def _yes(condition: pl.Expr) -> pl.Expr:
    return condition.fill_null(value=False)


def _different(texts: pl.Series) -> pl.Series:
    return texts.drop_nulls().str.to_lowercase().unique()


def _words(texts: pl.Series) -> pl.Series:
    """Words of each text, in lower case; signs stand between words."""
    return texts.str.to_lowercase().str.replace_all(r"[\W_]+", " ").str.strip_chars().str.split(" ")


def _plain_name(names: pl.Series) -> pl.Series:
    """A name whatever its case, its titles and the order of its parts: "Smith, Ms Ann" is "Ann Smith"."""
    different = names.drop_nulls().unique()
    plain = [" ".join(sorted(set(words) - TITLES)) for words in _words(different).to_list()]
    return names.replace_strict(different, plain, default=None, return_dtype=pl.String)


def _several(named: pl.DataFrame, same: list[str], different: str, finding: str) -> pl.DataFrame:
    """Rows whose values of `same` stand with more than one of `different`."""
    rows = (
        named.filter(pl.all_horizontal(pl.col(name).is_not_null() for name in same))
        .with_columns(pl.col(different).n_unique().over(same).alias("times"))
        .filter(pl.col("times") > 1)
        .sort(ROW)
    )
    first = pl.col(ROW).min().over(same)
    return rows.select(
        pl.lit(finding).alias("finding"),
        first.rank("dense").cast(pl.Int64).alias("group"),
        pl.col(ROW).alias("row"),
    ).sort("group", "row")
