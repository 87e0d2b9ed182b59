"""The command that says what could be worked out from releases together."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from safeguarding_analytics.errors import DisclosureError, ParameterError, as_called, in_words, numbered, quoted

if TYPE_CHECKING:
    from safeguarding_analytics.release_audit import Audit, Collection


CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
"""How commands explain themselves, also when they are called by themselves."""


def say(message: str, *, before: str = "", err: bool = False) -> None:
    """Print a message that may tell of commands, which then call the program as the user did."""
    click.echo(f"{before}{as_called(message, sys.argv[0])}", err=err)


class Base(click.IntRange):
    """A multiple to which numbers were rounded."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read a whole number of 2 or more."""
        try:
            int(value)
        except ValueError:
            self.fail("BASE must be a whole number, such as 5.", param, ctx)
        return int(super().convert(value, param, ctx))


@click.command(context_settings=CONTEXT)
@click.argument("releases", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--fast", is_flag=True, help="Try totals, sums and differences of what is printed, not all combinations.")
@click.option(
    "--within",
    "lookups",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A table whose first column (district) lies within each of the others (area). May be given more than once.",
)
@click.option(
    "--rounded",
    nargs=2,
    multiple=True,
    type=(str, Base(2)),
    metavar="NAME BASE",
    help="The numbers of this file were rounded to multiples of BASE. May be given more than once.",
)
@click.option(
    "--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path), help="Write what is found to this file."
)
@click.option("--repair", is_flag=True, help="Hide more in the last release, until nothing can be worked out.")
def audit(
    releases: tuple[Path, ...],
    fast: bool,
    lookups: tuple[Path, ...],
    rounded: tuple[tuple[str, int], ...],
    csv_file: Path | None,
    repair: bool,
) -> None:
    """Say what could be worked out from RELEASES together: numbers that one hides and others give away.

    A release is the folder that safeguarding report made; a published table (CSV or XLSX, such as one of last year's or
    of another body) may be named too. The numbers that are hidden in them are compared with all the others show.

    Exit code 1 if a hidden number can be narrowed down further than its mark does.

    With --repair the last RELEASE is changed; what is named before it is taken to be public already.
    """
    from safeguarding_analytics.release_audit import (
        audit_published,
        open_published,
        read_lookup,
        release_to_repair,
        write_findings,
    )

    if csv_file and not csv_file.parent.is_dir():
        raise ParameterError(f"{csv_file.parent}: there is no such folder. Make it, or name another.")
    collection = open_published(releases, within=[read_lookup(path) for path in lookups])
    if repair:
        release_to_repair(collection)
    if sys.stderr.isatty():
        click.echo(f"Auditing {numbered(len(collection.tables), 'table')} …", err=True)
    bases = dict(rounded)
    made = audit_published(collection, rounded=bases, effort="fast" if fast else "full")
    if csv_file:
        write_findings(made.found, csv_file)
    if made.found.is_empty():
        _print_nothing_found(collection, made.effort, bases)
        return
    _print_findings(collection, made, repair, bases)
    if not repair:
        sys.exit(1)
    _repair(collection, bases)


def _print_findings(collection: Collection, made: Audit, repair: bool, rounded: dict[str, int]) -> None:
    """Print what was found, a line each, then how much it is, then what to do about it."""
    from safeguarding_analytics.release_audit import entangled, wrong_totals

    for row in made.found.to_dicts():
        if row["low"] is None:
            click.echo(f"{row['table']}, {row['cell']}: {row['because']}")
        else:
            click.echo(f"{row['table']}, {row['cell']} ({row['column']}): {_range(row)}. {row['because']}")
    known = made.found.drop_nulls("low")
    if not known.is_empty():
        tables = known["table"].unique(maintain_order=True).to_list()
        inside = f"in {numbered(len(tables), 'table')}: {in_words(tables)}"
        click.echo(f"\n{numbered(known.height, 'hidden number')} can be narrowed down, {inside}.")
    if known.height < made.found.height:
        click.echo("\nOf tables that contradict each other nothing can be said. Check them, or audit them apart.")
        for sentence in wrong_totals(collection, rounded):
            click.echo(f"- {sentence}")
    _print_not_audited(collection, rounded)
    if repair or known.is_empty():
        return
    together = f"suppress([{', '.join(entangled(collection, made.found))}], policy)"
    again = "run again with --repair" + (
        "" if len(collection.places) == 1 else ", which changes the release named last"
    )
    click.echo(f"Protect these tables together: {together} where they are made, or {again}.")


def _range(row: dict[str, Any]) -> str:
    low, high = row["low"], row["high"]
    if high is None:
        return f"{low:,} or more"
    return f"exactly {low:,}" if low == high else f"{low:,} to {high:,}"


def _print_not_audited(collection: Collection, rounded: dict[str, int]) -> None:
    """Print which columns and sheets were not audited, and which files may have been rounded."""
    from safeguarding_analytics.release_audit import seemingly_rounded

    for sentence in collection.not_read:
        click.echo(f"- {sentence}")
    for name, base in seemingly_rounded(collection, rounded).items():
        option = f"--rounded {quoted(name)} {base}"
        click.echo(f"All counts of {name} are multiples of {base}: if they are rounded, add {option}")


def _print_nothing_found(collection: Collection, effort: str, rounded: dict[str, int]) -> None:
    files = len(collection.places) - len(collection.releases)
    kinds = ((len(collection.releases), "release"), (files, "file"))
    of = in_words([numbered(number, noun) for number, noun in kinds if number])
    read = f"{numbered(len(collection.tables), 'table')} of {of}"
    if collection.not_read:
        click.echo(f"No hidden number can be worked out from what was audited of {read}. Not all was:")
    else:
        click.echo(f"No hidden number can be worked out from {read}.")
    _print_not_audited(collection, rounded)
    tried = {
        "full": "The audit was full: every combination of groups was tried.",
        "fast": "The audit was fast: totals, sums and differences of what is printed, not every combination of groups.",
    }
    click.echo(tried[effort])
    if collection.left_out:
        named = in_words(list(collection.left_out))
        click.echo(f"Not audited, as rankings, judgements and what others have published are not: {named}.")
    click.echo("It does not show what a reader knows from elsewhere, such as tables that were not named.")


def _repair(collection: Collection, rounded: dict[str, int]) -> None:
    from safeguarding_analytics.release_audit import repair_release

    try:
        repaired = repair_release(collection, rounded=rounded)
    except DisclosureError as error:
        say(f"{collection.places[-1]} was not repaired and is unchanged: {error}", err=True)
        sys.exit(1)
    click.echo(f"Repaired {collection.places[-1]}:")
    for name, rows in repaired.rows.items():
        click.echo(f"- {name}: {numbered(rows, 'more row')} with hidden numbers")
    for title in repaired.pages:
        click.echo(f"- the page {title} is left out of the pack, because it showed tables that changed")
    of = " from what was audited" if collection.not_read else ""
    click.echo(f"No hidden number can be worked out now{of}.")
