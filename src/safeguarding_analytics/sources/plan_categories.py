"""Categories of abuse, and yes or no, as case systems write them → the one word they stand for, or none.

The rules read words, codes and flags; no list of spellings is kept. What they do not understand is not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches

from safeguarding_analytics.tables import CATEGORIES

DOUBTFUL: Mapping[str, tuple[str, str]] = {
    "neglect, physical and emotional": (
        "MUL",
        "three kinds are named. A list of synonyms that authorities share says neglect, but takes every other text "
        "that names several kinds for multiple",
    ),
}
"""Spellings that others read otherwise: what is read here, and why."""

KINDS: Mapping[str, str] = {
    **dict.fromkeys(("neg", "neglect", "neglected", "neglectful"), "NEG"),
    **dict.fromkeys(("phy", "phys", "physical", "physically", "pa", "physab"), "PHY"),
    **dict.fromkeys(("sab", "sex", "sexual", "sexually", "sexab"), "SAB"),
    **dict.fromkeys(("emo", "emot", "emotion", "emotional", "emotionally"), "EMO"),
    **dict.fromkeys(("mul", "mult", "multi", "multiple", "muliple", "mutiple", "mulitple"), "MUL"),
}
"""Words and codes that name a category."""

FILLERS = (
    *("abuse", "abused", "abusive", "injury", "injuries", "harm", "category", "categories", "type", "types", "cpp"),
    *("likelihood", "likely", "risk", "suffering", "of", "and", "or", "only", "the", "a", "at", "in", "from", "under"),
)
"""Words that name none, and say nothing against the one beside them."""

YES_NO_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("yes", "y", "true", "t", "1"), "yes"),
    **dict.fromkeys(("no", "n", "false", "f", "0"), "no"),
    **dict.fromkeys(("unknown", "not known", "nk", "u"), "unknown"),
}

_LETTERED = re.compile(r"^\(?([a-e])[).:] *(?=\w)")
_FLAGS = re.compile(r"[yn](?:[ ,/|;-]?[yn]){3}")
_NOT_RECOMMENDED = re.compile(r"\bnot[ -]recommended\b")
_LONGEST_CUT_OFF = re.compile(r"[a-z]{3,}$")
_UNSEEN = re.compile("[\u200b-\u200d\u2060\ufeff\u00ad]")


def category_of(text: str, words: Mapping[str, str] | None = None) -> str | None:
    """The category of abuse a text stands for, as the children in need census codes it.

    Parameters
    ----------
    text
        A cell, such as ``"b) Physical abuse"``, ``"NEG"``, ``"YNNY"`` or ``"Neglect; Emotional abuse"``.
    words
        The board's own words for categories, which come first. Case and spaces do not matter.

    Returns
    -------
    str | None
        NEG, PHY, SAB, EMO or MUL; None where the text stands for none, or says two things that do not fit together.

    Notes
    -----
    Two or more kinds are multiple. Four letters Y and N are flags of neglect, physical, sexual and emotional abuse.
    The letters of the inspectorate's list ("a)" neglect to "e)" multiple) must agree with the words behind them. A
    last word that was cut off is read where three letters or more of it are left. `DOUBTFUL` lists where others read
    otherwise.

    References
    ----------
    Ofsted, Annex A to the framework for inspecting local authority children's services, list 7. DfE, Children in need
    census, code set "category of abuse".

    Examples
    --------
    >>> [category_of(text) for text in ("a) Neglect", "YNNY", "SEXUAL/PHYSICAL/EMOTIONAL/NEGL", "Bruising")]
    ['NEG', 'MUL', 'MUL', None]
    """
    plain = plain_text(text)
    own = {plain_text(found): meant for found, meant in (words or {}).items()}
    if plain in own:
        return own[plain]
    if plain in DOUBTFUL:
        return DOUBTFUL[plain][0]
    if _FLAGS.fullmatch(plain):
        flagged = [kind for kind, flag in zip(CATEGORIES, re.findall("[yn]", plain), strict=False) if flag == "y"]
        return _one(set(flagged))
    lettered = _LETTERED.match(plain)
    said = _said(plain[lettered.end() :] if lettered else plain)
    return said if not lettered or said == CATEGORIES["abcde".index(lettered[1])] else None


def yes_no_of(text: str) -> str | None:
    """Whether a cell says yes, no or that it is not known.

    Parameters
    ----------
    text
        A cell, such as ``"b) No"``, ``"1 - Yes"`` or ``"N"``.

    Returns
    -------
    str | None
        ``"yes"``, ``"no"`` or ``"unknown"``; None where the text says something else.

    Examples
    --------
    >>> [yes_no_of(text) for text in ("No", "b) No", "1 - Yes", "c) Unknown", "b) Yes", "see notes")]
    ['no', 'no', 'yes', 'unknown', None, None]
    """
    plain = plain_text(text)
    coded = re.match(r"^\(?(?:([abc])[).:]|([01]) *[-:=]) *(?=\w)", plain)
    said = YES_NO_WORDS.get(plain[coded.end() :] if coded else plain)
    if coded is None:
        return said
    meant = {"a": "yes", "b": "no", "c": "unknown", "1": "yes", "0": "no"}[coded[1] or coded[2]]
    return said if said == meant else None


def looks_like_a_category(text: str) -> bool:
    """Whether every word of a text is, or nearly is, one that categories are written with: then it is no one's name.

    Parameters
    ----------
    text
        A cell that stands for no category.

    Examples
    --------
    >>> [looks_like_a_category(text) for text in ("No physcal neglect", "Neglect Smith", "7")]
    [True, False, False]
    """
    others = {"no", "not", "none", "other", "unknown", "recorded", "recommended", "stated", "applicable", "blank"}
    known = {*KINDS, *FILLERS, *others}
    long = [word for word in known if len(word) > 5]
    tokens = re.findall(r"[^\W_]+", plain_text(text))
    return bool(tokens) and all(token in known or get_close_matches(token, long, n=1, cutoff=0.85) for token in tokens)


def plain_text(text: str) -> str:
    r"""A cell without case, unseen signs, and more than one space at a time.

    Examples
    --------
    >>> plain_text("\xa0a)  Neglect\u200b ")
    'a) neglect'
    """
    return " ".join(_UNSEEN.sub("", text).casefold().split())


def _said(plain: str) -> str | None:
    """What the words of a text name; None where one of them is unknown."""
    not_recommended = _NOT_RECOMMENDED.search(plain) is not None
    tokens = re.findall(r"[^\W_]+", _NOT_RECOMMENDED.sub(" ", plain))
    if len(tokens) > 1:
        tokens[-1] = _whole(tokens[-1])
    if any(token not in KINDS and token not in FILLERS for token in tokens):
        return None
    kinds = {KINDS[token] for token in tokens if token in KINDS}
    return _one(kinds | ({"MUL"} if not_recommended else set()))


def _one(kinds: set[str]) -> str | None:
    """One kind is itself, several are multiple; a text that says multiple and names one kind only says two things."""
    named = kinds - {"MUL"}
    if "MUL" in kinds:
        return None if len(named) == 1 else "MUL"
    return "MUL" if len(named) > 1 else next(iter(named), None)


def _whole(last: str) -> str:
    """The last word of a text, whole again where a column was too narrow for it."""
    if last in KINDS or last in FILLERS or not _LONGEST_CUT_OFF.match(last):
        return last
    words = [word for word in ("neglect", "physical", "sexual", "emotional", "abuse") if word.startswith(last)]
    return words[0] if len(words) == 1 else last
