"""Answers of a form in words → points: by the right answer, by labels, by the points of a quiz, or as they are."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from safeguarding_analytics.contracts import EMPTY
from safeguarding_analytics.errors import nearest
from safeguarding_analytics.export_settings import NO_ANSWER, FormsSection
from safeguarding_analytics.sources.files import ROW
from safeguarding_analytics.sources.learners import FEW

NEITHER = ("neutral", "neither", "undecided")
USUAL: tuple[tuple[tuple[str, ...], ...], ...] = (
    (
        ("strongly disagree",),
        ("disagree",),
        ("neither agree nor disagree", "neither agree or disagree", *NEITHER),
        ("agree",),
        ("strongly agree",),
    ),
    (("not at all",), ("slightly",), ("moderately", "somewhat", "fairly"), ("very",), ("extremely", "completely")),
    (("not at all",), ("slightly",), ("somewhat",), ("moderately", "fairly"), ("extremely", "completely")),
    (
        ("not at all",),
        ("a little", "slightly"),
        ("moderately", "somewhat", "fairly"),
        ("quite",),
        ("very", "extremely"),
    ),
    (
        ("not at all",),
        ("not very",),
        ("neither confident nor unconfident", "neither confident nor not", *NEITHER),
        ("fairly", "quite"),
        ("very",),
    ),
    (
        ("very unconfident",),
        ("unconfident",),
        ("neither confident nor unconfident", *NEITHER),
        ("confident",),
        ("very",),
    ),
    (
        ("never",),
        ("rarely", "seldom"),
        ("sometimes", "occasionally"),
        ("often", "frequently"),
        ("always", "very often"),
    ),
    (("never",), ("occasionally",), ("sometimes",), ("often", "frequently"), ("always",)),
    (("never",), ("sometimes",), ("about half the time",), ("most of the time",), ("always",)),
)
"""Sets of five labels, from the lowest to the highest; "confident" behind a word may be left out."""

MISTAKES = {ROW: pl.Int64, "form": pl.Int64, "item": pl.String, "rule": pl.String, "found": pl.String}
"""Columns of a report on answers; no row where it is the whole question of a form."""

FEWEST_SHOWN = 5
"""People who must have given an answer before a note shows it."""

LONGEST_SHOWN = 40
"""Letters of an answer that a note shows; longer ones may be anybody's own words."""

NOT_SHOWN = f"(not shown: fewer than {FEW} people answered so, and it resembles no known label)"

_SIGNS = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'}
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-")
)
_NUMBER = re.compile(r"([+-]?\d{1,6}(?:\.\d+)?)(?: *(?:[-=:.)]|\()[^\d]+)?")


@dataclass(frozen=True)
class Scored:
    """Points by row number, mistakes as `MISTAKES`, and notes."""

    scores: pl.DataFrame
    mistakes: pl.DataFrame
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Scale:
    """A question of the table of items."""

    item: str
    kind: str
    low: float
    high: float

    @property
    def limits(self) -> str:
        """The scale in words."""
        return f"between {self.low:g} and {self.high:g}, as the table items says of {self.item}"


def plain_answer(text: str) -> str:
    r"""An answer without what two programs write differently: case, spaces, curly quotation marks, long dashes.

    Parameters
    ----------
    text
        An answer, or what `board.toml` says of one.

    Returns
    -------
    str
        Lower case, one space between words, straight quotation marks, hyphens. Still an answer: not to be shown.

    Examples
    --------
    >>> plain_answer(" Don\u2019t\xa0 KNOW ")
    "don't know"
    """
    visible = re.sub("[\u200b-\u200d\u2060\ufeff\u00ad]", "", text).translate(_SIGNS)
    return " ".join(visible.casefold().split())


def selected(text: str) -> frozenset[str]:
    """The options selected in an answer: "A;B;" is A and B, in any order.

    Parameters
    ----------
    text
        The answer; semicolons stand between options.

    Returns
    -------
    frozenset[str]
        Each as `plain_answer` writes it.

    Examples
    --------
    >>> selected("Consent;A reason;") == selected("a reason; consent")
    True
    """
    return frozenset(filter(None, map(plain_answer, text.split(";"))))


def few_slips_apart(one: str, other: str, most: int) -> bool:
    """Whether one text becomes the other if few characters are changed, added or left out.

    Parameters
    ----------
    one, other
        Texts, as they count.
    most
        Characters that may differ.

    Examples
    --------
    >>> few_slips_apart("lost", "last", 1), few_slips_apart("lost", "fast", 1), few_slips_apart("ab", "ba", 2)
    (True, False, True)
    """
    if abs(len(one) - len(other)) > most:
        return False
    pairs = zip(one, other, strict=False)
    same = next((place for place, (left, right) in enumerate(pairs) if left != right), min(len(one), len(other)))
    one, other = one[same:], other[same:]
    if not one or not other:
        return len(one) + len(other) <= most
    rests = ((one[1:], other[1:]), (one[1:], other), (one, other[1:]))
    return most > 0 and any(few_slips_apart(*rest, most - 1) for rest in rests)


def score_answers(answers: pl.DataFrame, items: pl.DataFrame, settings: FormsSection) -> Scored:
    """The points of every answer.

    Parameters
    ----------
    answers
        One row per answer, none for a question left out: `ROW`, form (number), item, answer (text), points (text of the
        column of a quiz), has_points (whether the form has such a column), person.
    items
        The table of items: item, kind, minimum, maximum.
    settings
        Section ``[forms]`` of `board.toml`.

    Returns
    -------
    Scored
        ``scores`` has one row per answer that stands for points (`ROW`, score), sorted. Not suppressed.

    Notes
    -----
    Of a question under ``[forms.key]``, an answer is worth the maximum of its item if it is the right one, or holds all
    right options and no other; anything else is worth the minimum. Labels of the board come before `USUAL` ones, which
    are used where the scale has five steps and all sets that hold the labels found agree; numbers stand for themselves,
    also with words behind them ("5 - very confident"). Points are as answered: `reversed` is the business of measures.

    References
    ----------
    Vagias, W. M., Likert-type scale response anchors, Clemson International Institute for Tourism & Research
    Development (2006): agreement, frequency, "not at all" to "extremely".

    Examples
    --------
    >>> answers = pl.DataFrame(
    ...     {"row_number": [1], "form": [0], "item": ["Q1"], "answer": ["A;B;"], "person": ["P1"]}
    ... ).with_columns(pl.lit(None, pl.String).alias("points"), pl.lit(False).alias("has_points"))
    >>> items = pl.DataFrame({"item": ["Q1"], "kind": ["choice"], "minimum": [0.0], "maximum": [2.0]})
    >>> score_answers(answers, items, FormsSection.model_construct(key={"Q1": [["B", "A"]]})).scores["score"].to_list()
    [2.0]
    """
    scales = {
        item: _Scale(item, kind, low, high)
        for item, kind, low, high in items.select("item", "kind", "minimum", "maximum").drop_nulls().iter_rows()
    }
    scores = [pl.DataFrame(schema={ROW: pl.Int64, "score": pl.Float64})]
    mistakes = [pl.DataFrame(schema=MISTAKES)]
    notes: list[str] = []
    for (item,), given in answers.group_by("item", maintain_order=True):
        if item not in scales:
            hint = nearest(str(item), [each for each in scales if _is_same_id(each, str(item))])
            rule = (
                f"{item} is not in the table items, and [forms.items] names it.{hint} "
                f"Add {item} to that table, or mend [forms.items]"
            )
            mistakes.append(_of_whole(given, rule, first=True))
            continue
        scale = scales[str(item)]
        quiz = _has_points(scale, settings)
        read = given.with_columns(pl.col("points").alias("answer")) if quiz else given
        points, wrong = _points_of_quiz(read, scale) if quiz else _score_item(read, scale, settings)
        outside = points.filter(~pl.col("score").is_between(scale.low, scale.high))
        off = _of_rows(read.join(outside, on=ROW, how="semi"), f"points {scale.limits}", {})
        mistakes += [wrong, off]
        scores.append(points.join(outside, on=ROW, how="anti").drop_nulls())
        notes += _never_given(given, settings.key.get(str(item), []), str(item))
    return Scored(pl.concat(scores).sort(ROW), pl.concat(mistakes), tuple(notes))


def _has_points(scale: _Scale, settings: FormsSection) -> bool:
    """Whether the answers to a question are worth what a column of the form says."""
    known = scale.item in settings.key or scale.item in settings.own_labels()
    return scale.item in settings.points or (scale.kind == "choice" and not known)


def _score_item(given: pl.DataFrame, scale: _Scale, settings: FormsSection) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Points of the answers to one question (null where there are none), and what is wrong with them."""
    if scale.item in settings.key:
        right = [frozenset().union(*map(selected, each)) for each in settings.key[scale.item]]
        values = {text: scale.high if selected(text) in right else scale.low for text in _different(given)}
        return _valued(given, values), pl.DataFrame(schema=MISTAKES)
    return _labelled(given, scale, settings.labels_of(scale.item))


def _points_of_quiz(given: pl.DataFrame, scale: _Scale) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Points as the form has worked them out itself."""
    rule = (
        "a question whose right answer is known. Name it under [forms.key] in board.toml, the points of each answer "
        f"under [forms.labels.{scale.item}], or the column that holds the points under [forms.points]"
    )
    points = given.select(ROW, pl.col("points").cast(pl.Float64, strict=False).alias("score"))
    finite = points.with_columns(pl.when(pl.col("score").is_finite()).then("score"))
    of_quiz = given.filter("has_points")
    lost = of_quiz.join(finite.filter(pl.col("score").is_null()), on=ROW, how="semi")
    wrong = _of_rows(lost, f"a number of points {scale.limits}", {})
    return finite, pl.concat([wrong, _of_whole(given.filter(~pl.col("has_points")), rule)])


def _labelled(given: pl.DataFrame, scale: _Scale, own: Mapping[str, float | str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Numbers as they are, and labels as the board or the usual sets number them."""
    said = {_label(label): value for label, value in own.items()}
    different = {text: _label(text) for text in _different(given)}
    labels = [plain for plain in different.values() if plain not in said and not _NUMBER.fullmatch(plain)]
    usual, unclear = _usual(labels, {label: value for label, value in said.items() if value != NO_ANSWER}, scale)
    values = {
        text: _value(plain, said) if plain in said or _NUMBER.fullmatch(plain) else usual.get(_bare(plain))
        for text, plain in different.items()
    }
    unread = [
        text
        for text, plain in different.items()
        if values[text] is None and said.get(plain) != NO_ANSWER and _bare(plain) not in unclear
    ]
    known = dict.fromkeys([*said, *(label for steps in USUAL for step in steps for label in step)])
    hints = {text: hint for text in unread if (hint := _slip_of(different[text], known)) is not None}
    rule = (
        f"a number {scale.limits}, or a label that is known. Say what it stands for under [forms.labels] in board.toml"
    )
    mistakes = [_of_rows(given.filter(pl.col("answer").is_in(unread)), rule, hints)]
    if unclear:
        asked = "; ".join(f'"{label}" could be {" or ".join(numbers)}' for label, numbers in unclear.items())
        rule = f"it must be known what its labels stand for: {asked}. Number all its labels under [forms.labels]"
        mistakes.append(_of_whole(given, rule, first=True))
    return _valued(given, values), pl.concat(mistakes)


def _value(plain: str, said: Mapping[str, float | str]) -> float | None:
    """The number a known label or a number stands for; None for no answer."""
    value = said.get(plain)
    if value == NO_ANSWER:
        return None
    found = _NUMBER.fullmatch(plain)
    return float(value) if value is not None else float(found[1]) if found else None


def _label(text: str) -> str:
    """A label as it counts. Where several could be selected, a semicolon stands behind it."""
    return plain_answer(text).rstrip("; ")


def _bare(label: str) -> str:
    """A label without the word that all of its set have in common."""
    return label.removesuffix(" confident")


def _usual(
    labels: Sequence[str], said: Mapping[str, float | str], scale: _Scale
) -> tuple[dict[str, float], dict[str, list[str]]]:
    """Numbers of labels by the usual sets, and labels of which the sets say different things."""
    if scale.high - scale.low != len(USUAL[0]) - 1:
        return {}, {}
    numbered = [{label: scale.low + step for step, words in enumerate(steps) for label in words} for steps in USUAL]
    known = {_bare(label) for label in labels} & {label for numbers in numbered for label in numbers}
    fixed = {_bare(label): value for label, value in said.items()}
    fitting = [
        numbers
        for numbers in numbered
        if known <= numbers.keys()
        and len({numbers[label] for label in known}) == len(known)
        and all(numbers[label] == value for label, value in fixed.items() if label in numbers)
    ]
    found = {label: sorted({numbers[label] for numbers in fitting or numbered if label in numbers}) for label in known}
    clear = {label: numbers[0] for label, numbers in found.items() if len(numbers) == 1 and fitting}
    unclear = {label: [f"{number:g}" for number in numbers] for label, numbers in found.items() if label not in clear}
    return clear, dict(sorted(unclear.items()))


def _slip_of(label: str, known: Collection[str]) -> str | None:
    """A known label of which this one is a slip of the pen, as a hint; None where it may as well be another label."""
    if label in known:
        return ""
    likely = [each for each in known if _is_slip(label, each) or _is_slip(_bare(label), each)]
    return f' (Did you mean "{likely[0]}"?)' if len(likely) == 1 else None


def _is_slip(label: str, known: str) -> bool:
    """Whether two labels differ in few letters, but in no digit, word or beginning of one: unsure is not sure."""
    words, others = label.split(), known.split()
    if len(words) != len(others) or re.findall(r"\d", label) != re.findall(r"\d", known):
        return False
    changed = [(word, other) for word, other in zip(words, others, strict=True) if word != other]
    return few_slips_apart(label, known, 2) and all(
        not word.endswith(other) and not other.endswith(word) and few_slips_apart(word, other, min(2, len(other) // 3))
        for word, other in changed
    )


def _is_same_id(one: str, other: str) -> bool:
    """Whether two ids may be the same: of one number, and of letters all but the same. Q04 is neither Q06 nor C04."""
    number, other_number = ([digits.lstrip("0") for digits in re.findall(r"\d+", each)] for each in (one, other))
    letters, other_letters = (re.sub(r"\d", "", each.casefold()) for each in (one, other))
    return number == other_number and few_slips_apart(letters, other_letters, min(2, len(letters) // 3))


def _never_given(given: pl.DataFrame, key: Sequence[Sequence[str]], item: str) -> list[str]:
    """Right answers that nobody gave: often they are spelled in another way than in the form."""
    chosen = frozenset().union(*map(selected, _different(given)))
    lost = [word for words in key for word in words if not selected(word) <= chosen]
    right = frozenset().union(*(selected(word) for words in key for word in words))
    most = [f'"{text}"' for text in _most_given(given, right)]
    given_most = f"The answers most given: {', '.join(most)}" if most else "Compare its spelling with the form"
    return [
        f'nobody gave the right answer of {item} ("{word}" under [forms.key] in board.toml). {given_most}'
        for word in dict.fromkeys(lost)
    ]


def _most_given(given: pl.DataFrame, right: frozenset[str]) -> list[str]:
    """The options most people selected and no key names, as first written; none that could be somebody's own words."""
    options = given.select("person", pl.col("answer").str.split(";").alias("option")).explode("option")
    texts = [" ".join(text.split()) for text in options["option"].fill_null("").to_list()]
    counted = (
        options.select("person", pl.Series("option", texts), pl.Series("plain", list(map(plain_answer, texts))))
        .group_by("plain", maintain_order=True)
        .agg(pl.col("option").first(), pl.col("person").n_unique().alias("people"))
        .filter(
            pl.col("people") >= FEWEST_SHOWN,
            pl.col("option").str.len_chars().is_between(1, LONGEST_SHOWN),
            ~pl.col("option").str.contains("@", literal=True),
            ~pl.col("plain").is_in(list(right)),
        )
    )
    return counted.sort("people", descending=True, maintain_order=True)["option"].head(3).to_list()


def _different(given: pl.DataFrame) -> list[str]:
    return given["answer"].unique(maintain_order=True).to_list()


def _valued(given: pl.DataFrame, values: Mapping[str, float | None]) -> pl.DataFrame:
    texts, numbers = list(values), list(values.values())
    score = given["answer"].replace_strict(texts, numbers, default=None, return_dtype=pl.Float64)
    return given.select(ROW, score.alias("score"))


def _of_rows(given: pl.DataFrame, rule: str, hints: Mapping[str, str]) -> pl.DataFrame:
    """A mistake per answer. An answer is shown if it is like a known label, a short number, or given by several."""
    people = dict(given.group_by("answer").agg(pl.col("person").n_unique()).iter_rows())

    def say(text: str) -> str:
        if re.fullmatch(r"[\d.,+-]{1,6}", text):
            return f'"{text}"'
        shown = text in hints or people[text] >= FEW
        return f'"{text}"{hints.get(text, "")}' if shown and len(text) <= 100 and "@" not in text else NOT_SHOWN

    found = {text: say(text) for text in people if text is not None}
    return given.select(
        ROW,
        "form",
        "item",
        pl.lit(rule).alias("rule"),
        pl.col("answer").replace_strict(found, default=EMPTY, return_dtype=pl.String).alias("found"),
    ).match_to_schema(MISTAKES)


def _of_whole(given: pl.DataFrame, rule: str, *, first: bool = False) -> pl.DataFrame:
    """A mistake of a question in every form, or in the first one that asks it."""
    forms = given.select("form", "item").unique(maintain_order=True)
    return (
        (forms.head(1) if first else forms)
        .select(
            pl.lit(None, pl.Int64).alias(ROW),
            "form",
            "item",
            pl.lit(rule).alias("rule"),
            pl.lit(None, pl.String).alias("found"),
        )
        .match_to_schema(MISTAKES)
    )
