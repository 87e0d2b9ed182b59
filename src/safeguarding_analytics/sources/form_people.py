"""Who answered the forms: told by an address or a code, once per wave, and whom nobody can pair."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import combinations

import polars as pl

from safeguarding_analytics.errors import numbered
from safeguarding_analytics.sources.form_answers import few_slips_apart
from safeguarding_analytics.sources.worksheets import say_rows

CODED = "coded"
"""Column that says whether somebody is told by a code of their own making."""

FORM, ROW_OF_FORM = "name_of_form", "row_of_form"
ONE_TIME = ("session", "person", "wave", "questions")
"""What may stand in one row of all forms only; forms with other questions are other questionnaires."""

LONG_NAME = 6
"""Characters before the @ of two addresses that may differ in two letters and still be one person's; else in one."""

LONGEST_ADDRESS = 100
"""Characters of an address that is compared with others."""

FEWEST_SWAPPED = 2
"""People who answered two forms, before anything is said of their order."""

LATER = {"post": "after the session", "follow_up": "at the follow-up"}
"""Waves that are compared with that before the session, in words."""


def plain_address() -> pl.Expr:
    """The person's address or number, without what is put around it and what nobody can see.

    Examples
    --------
    >>> pl.DataFrame({"person": ["Ann <ann@a.uk>", "mailto:bo@a.uk"]}).select(plain_address())["person"].to_list()
    ['ann@a.uk', 'bo@a.uk']
    """
    invisible = "[\u200b-\u200d\u2060\ufeff\u00ad]"
    plain = pl.col("person").str.replace_all(invisible, "").str.replace(r"(?i)^mailto: *", "")
    text = pl.coalesce(plain.str.extract(r"<\s*([^<>\s]+@[^<>\s]+)\s*>"), plain).str.strip_chars()
    return pl.when(text != "").then(text).alias("person")


def plain_code(text: str) -> str:
    """A code that somebody made up, as it counts: letters and digits alone, whatever their case.

    Parameters
    ----------
    text
        The code as it was typed.

    Returns
    -------
    str
        The same text for each way of typing one code. Codes that differ in a letter stay different.

    Examples
    --------
    >>> plain_code(" Ab-12 ") == plain_code("AB 12"), plain_code("AB12") == plain_code("AB13")
    (True, False)
    """
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))


def kept_of_repeated(people: pl.DataFrame, which: str) -> tuple[pl.DataFrame, list[str]]:
    """One questionnaire per person, session and wave, and notes on those left out.

    Parameters
    ----------
    people
        One row per questionnaire: `ONE_TIME`, form, name_of_form, row_of_form, agency, submitted (null where it is not
        known), coded.
    which
        "first" or "last", by the time it was submitted; where that is not known, by form and row.

    Examples
    --------
    >>> people = pl.DataFrame(
    ...     {"session": "S1", "person": "a", "wave": "pre", "questions": "Q", "form": 0, "name_of_form": "a.csv",
    ...      "row_of_form": [2, 3], "agency": "A", "submitted": [9, 5], "coded": False}
    ... )
    >>> kept_of_repeated(people, "last")[0]["row_of_form"].to_list()
    [2]
    """
    ordered = people.sort("submitted", "form", ROW_OF_FORM, nulls_last=False, maintain_order=True)
    nobody = pl.any_horizontal(pl.col("session", "person").is_null())
    counted = ordered.filter(~nobody).unique(ONE_TIME, keep="last" if which == "last" else "first", maintain_order=True)
    kept = pl.concat([counted, ordered.filter(nobody)]).sort("form", ROW_OF_FORM)
    notes = []
    for (wave,), rows in people.join(kept, on=["form", ROW_OF_FORM], how="anti").group_by("wave", maintain_order=True):
        count = rows.select(ONE_TIME).n_unique()
        several = people.join(rows.select(ONE_TIME).unique(), on=ONE_TIME, how="semi").filter(CODED)
        agencies = several.group_by(ONE_TIME).agg(pl.col("agency").drop_nulls().n_unique())
        others = agencies.filter(pl.col("agency") > 1).height
        shared = f". {numbered(others, 'code')} stood with several agencies and may be of several people"
        notes.append(
            f"scores: {_people(count)} answered the wave {wave} of one session more than once. The {which} answers "
            f"count (repeated under [forms]), and these do not: {say_where(rows)}{shared if others else ''}"
        )
    return kept, notes


def say_where(people: pl.DataFrame) -> str:
    """Rows by form, in words.

    Parameters
    ----------
    people
        Columns name_of_form and row_of_form.

    Examples
    --------
    >>> say_where(pl.DataFrame({"name_of_form": ["a.csv", "b.csv", "a.csv"], "row_of_form": [3, 2, 2]}))
    'a.csv rows 2, 3; b.csv row 2'
    """
    forms = people.sort(FORM, ROW_OF_FORM).group_by(FORM, maintain_order=True).agg(ROW_OF_FORM)
    return "; ".join(f"{form} {say_rows(rows)}" for form, rows in forms.iter_rows())


def say_unmatched(people: pl.DataFrame) -> list[str]:
    """What may be the reason why people cannot be paired: counts and rows, never a code or an address.

    Parameters
    ----------
    people
        One row per questionnaire: session, person (as typed, or a plain code), wave, coded, name_of_form, row_of_form.
    """
    known = people.drop_nulls(["session", "person"])
    before = known.filter(pl.col("wave") == "pre")
    notes = []
    for wave in ("post", "follow_up"):
        later = known.filter(pl.col("wave") == wave)
        if before.is_empty() or later.is_empty():
            continue
        if {*before[CODED]} != {*later[CODED]}:
            notes.append(
                f"scores: people are told by an address in some forms and by a code of their own in others, before the "
                f"session and {LATER[wave]}: these cannot be paired"
            )
        first = before.join(later, on=["session", "person", CODED], how="anti")
        second = later.join(before, on=["session", "person", CODED], how="anti")
        if wave == "follow_up" and second.height:
            count = second.select("session", "person").n_unique()
            notes.append(f"scores: {_people(count)} answered at the follow-up and not before the session")
        for coded in (True, False):
            notes += _say_alike(first, second, wave, coded=coded)
        notes += _say_elsewhere(first, second, wave)
    return notes


def say_swapped(people: pl.DataFrame) -> list[str]:
    """Forms of two waves that most people answered in the wrong order: the waves may be swapped in `board.toml`.

    Parameters
    ----------
    people
        One row per questionnaire: session, person, wave, coded, name_of_form, submitted (a time in seconds, null where
        it is not known).

    Notes
    -----
    Two forms are compared by those who answered both of one session at a known time, at least `FEWEST_SWAPPED` people.
    What is said is no broken rule: people may have been asked late.
    """
    timed = people.drop_nulls(["session", "person", "submitted"])
    notes = []
    for first, second in combinations(("pre", "post", "follow_up"), 2):
        waves = [timed.filter(pl.col("wave") == wave) for wave in (first, second)]
        both = waves[0].join(waves[1], on=["session", "person", CODED], suffix="_later")
        forms = both.group_by(FORM, f"{FORM}_later", maintain_order=True).agg(
            pl.struct("session", "person", CODED).n_unique().alias("all"),
            pl.struct("session", "person", CODED)
            .filter(pl.col("submitted") > pl.col("submitted_later"))
            .n_unique()
            .alias("late"),
        )
        wrong = forms.filter((pl.col("all") >= FEWEST_SWAPPED) & (2 * pl.col("late") > pl.col("all")))
        notes += [
            f"{one} and {other}: {late:,} of {count:,} people answered the wave {first} after the wave {second}. Are "
            "the waves of the two swapped under [forms] in board.toml? If not, nothing need be done"
            for one, other, count, late in wrong.sort(FORM, f"{FORM}_later").iter_rows()
        ]
    return notes


def say_without_booking(people: pl.DataFrame, bookings: pl.DataFrame) -> list[str]:
    """How many questionnaires are of people with an address who have no attended booking of the session.

    Parameters
    ----------
    people
        One row per questionnaire: session, person (a pseudonym), coded, form and row_of_form.
    bookings
        The table of bookings, with pseudonyms by the same key.
    """
    attended = bookings.filter(pl.col("status") == "attended").select("session", "person")
    without = people.filter(~pl.col(CODED)).join(attended, on=["session", "person"], how="anti")
    if without.is_empty():
        return []
    return [
        f"scores: {numbered(without.height, 'questionnaire')} of people who have no attended booking of the session: "
        f"{say_where(without)}"
    ]


def say_wrong_day(people: pl.DataFrame, sessions: pl.DataFrame) -> list[str]:
    """Questionnaires "before" that were submitted after the day of the session, and the other way round.

    Parameters
    ----------
    people
        One row per questionnaire: session, wave, day (null where it is not known), form and row_of_form.
    sessions
        session and date (its first day).
    """
    dated = people.join(sessions.select("session", "date"), on="session")
    found = (
        ("pre", "before, and submitted after the day of the session", pl.col("day") > pl.col("date")),
        ("post", "after, and submitted before the day of the session", pl.col("day") < pl.col("date")),
        ("follow_up", "follow-up, and submitted before the day of the session", pl.col("day") < pl.col("date")),
    )
    wrong = [(what, dated.filter((pl.col("wave") == wave) & late)) for wave, what, late in found]
    return [
        f"scores: {numbered(rows.height, 'questionnaire')} called {what}: {say_where(rows)}"
        for what, rows in wrong
        if rows.height
    ]


def say_unpaired(scores: pl.DataFrame) -> list[str]:
    """How many people answered only once: they are counted, and take no part in a paired gain.

    Parameters
    ----------
    scores
        The table of scores.

    Examples
    --------
    >>> say_unpaired(pl.DataFrame({"session": ["S1", "S1"], "person": ["P1", "P2"], "wave": ["post", "post"]}))
    ['2 people answered only after the session, so their gain is not known']
    """
    waves = scores.group_by("session", "person").agg(pl.col("wave").unique())
    has_pre, has_post = pl.col("wave").list.contains("pre"), pl.col("wave").list.contains("post")
    only_post, only_pre = waves.filter(has_post & ~has_pre).height, waves.filter(has_pre & ~has_post).height
    return [
        f"{_people(count)} answered only {here} the session, so {'their' if count > 1 else 'that'} gain is not known"
        for count, here in ((only_post, "after"), (only_pre, "before"))
        if count
    ]


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count:,} people"


def _say_alike(before: pl.DataFrame, later: pl.DataFrame, wave: str, *, coded: bool) -> list[str]:
    """Codes or addresses without a partner that differ from one another in a slip of the pen."""
    pairs = []
    person = pl.col("person").str
    address = person.contains("@", literal=True) & (person.len_chars() <= LONGEST_ADDRESS)
    of_kind = pl.col(CODED) if coded else ~pl.col(CODED) & address
    before, later = before.filter(of_kind), later.filter(of_kind)
    by_session = later.partition_by("session", as_dict=True)
    for session, rows in before.partition_by("session", as_dict=True).items():
        others = by_session.get(session)
        if others is not None:
            pairs += _alike(
                rows["person"].unique().to_list(), others["person"].unique().to_list(), session[0], coded=coded
            )
    if not pairs:
        return []
    found = pl.DataFrame(pairs, schema={"session": pl.String, "before": pl.String, "later": pl.String}, orient="row")
    rows = pl.concat(
        [
            before.join(found, left_on=["session", "person"], right_on=["session", "before"], how="semi"),
            later.join(found, left_on=["session", "person"], right_on=["session", "later"], how="semi"),
        ]
    )
    count = found.select("session", "later").n_unique()
    what, slips, partner = (
        (numbered(count, "code"), "one letter or digit", "a code")
        if coded
        else (f"{count:,} address{'' if count == 1 else 'es'}", "one or two letters", "an address")
    )
    return [
        f"scores: {what} {LATER[wave]} {'differs' if count == 1 else 'differ'} in {slips} from {partner} before it "
        f"that has no partner. Nobody is joined; look at them yourself: {say_where(rows)}"
    ]


def _alike(
    some: Iterable[str], others: Iterable[str], session: object, *, coded: bool
) -> list[tuple[object, str, str]]:
    """Pairs of codes, or of addresses, of which one is likely to be the other, mistyped."""
    by_key: dict[tuple[str, str], list[str]] = {}
    for text in some:
        for key in _keys(text, 1 if coded else 2):
            by_key.setdefault(key, []).append(text)
    near = {(one, other) for other in others for key in _keys(other, 1 if coded else 2) for one in by_key.get(key, [])}
    same = _same_code if coded else _same_address
    return [(session, one, other) for one, other in sorted(near) if same(one, other)]


def _keys(text: str, most: int) -> set[tuple[str, str]]:
    """What two texts have in common if they differ in few characters before an @, or only behind it."""
    name, _, domain = text.partition("@")
    found = {name}
    for _ in range(most):
        found |= {each[:place] + each[place + 1 :] for each in found for place in range(len(each))}
    return {(name, ""), *((each, domain) for each in found)}


def _same_code(one: str, other: str) -> bool:
    return few_slips_apart(one, other, 1)


def _same_address(one: str, other: str) -> bool:
    """Whether one address is likely to be the other: a number in it tells two people of one name apart."""
    short = min(len(address.partition("@")[0]) for address in (one, other))
    alike = few_slips_apart(one, other, 2 if short >= LONG_NAME else 1)
    return alike and re.findall(r"\d", one) == re.findall(r"\d", other)


def _say_elsewhere(before: pl.DataFrame, later: pl.DataFrame, wave: str) -> list[str]:
    """People who answered of one session before and of another one later."""
    both = before.join(later, on=["person", CODED], how="semi")["person"].unique()
    if both.is_empty():
        return []
    rows = pl.concat([before, later]).filter(pl.col("person").is_in(both.implode()))
    return [
        f"scores: {_people(len(both))} answered before the session and {LATER[wave]} under different sessions, and "
        f"{'is' if len(both) == 1 else 'are'} not paired: {say_where(rows)}"
    ]
