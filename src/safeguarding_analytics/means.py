"""Means of too few people, and those of others that would give such a mean away."""

from __future__ import annotations

from safeguarding_analytics.ledger import Ledger, Name, Relation


def hidden_means(ledger: Ledger, hidden: set[Name], minimum: int) -> set[Name]:
    """The counts whose mean must not be shown, though they may be.

    A mean times its people is a sum, and sums add up: who takes the shown groups from their total has the mean of those
    that are left. So the mean of the smallest other group is hidden as well, until those that are left are as many as a
    mean may be of; where there is no other group, the mean of the total is.

    Parameters
    ----------
    ledger
        Tables with all their counts.
    hidden
        Counts that are hidden, and their means with them.
    minimum
        The fewest people of whom a mean may be shown.
    """
    leads = {
        (cell, ledger.keys[shape.name, shape.counts[0]])
        for shape in {sheet.shape.name: sheet.shape for sheet in ledger.sheets if sheet.shape.means}.values()
        for cell, of in ledger.rows
        if of == shape.name
    }
    without = {name for name in leads if name in hidden or 0 < (ledger.counts[name] or 0) < minimum}
    relations = [relation for relation in ledger.relations if (relation.total, relation.key) in leads]
    changed = True
    while changed:
        more = {name for relation in relations for name in _further(ledger, relation, leads, without, minimum)}
        changed = not more <= without
        without |= more
    return without - hidden


def _further(ledger: Ledger, relation: Relation, leads: set[Name], without: set[Name], minimum: int) -> set[Name]:
    """The further mean that is hidden because those that are left of a total are too few; none where they are not."""
    total = (relation.total, relation.key)
    parts = [(part, relation.key) for part in relation.parts]
    shown = sorted(
        ((ledger.counts[name] or 0, name) for name in parts if name in leads and name not in without),
        key=lambda one: (one[0] == 0, one),
    )
    left = (ledger.counts[total] or 0) - sum(count for count, _ in shown)
    if total in without or not 0 < left < minimum:
        return set()
    # A group of nobody has no mean to hide.
    return {shown[0][1] if shown and shown[0][0] > 0 else total}
