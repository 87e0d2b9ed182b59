"""What `safeguarding report --for-each` does and says."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from safeguarding_analytics.errors import in_words, numbered

if TYPE_CHECKING:
    from safeguarding_analytics.area_reports import Wanted

KEPT = " Releases that stand are complete, and reports that were finished are kept: run it again to go on."


def report_for_each(each: str, folder: Path, parameters: Mapping[str, str], wanted: Wanted) -> bool:
    """Make a report for each area, say what became of them, and whether all was made."""
    from safeguarding_analytics.area_reports import make_reports
    from safeguarding_analytics.area_runs import area_runs
    from safeguarding_analytics.report import check_parameters, notebooks

    chosen = notebooks(wanted.only)
    runs = area_runs(folder, each, parameters, lambda given: check_parameters(chosen, given))
    try:
        with _progress(len(runs)) as (progress, say):
            made = make_reports(runs, wanted, progress=progress, say=say)
    except KeyboardInterrupt:
        raise click.Abort(KEPT) from None
    said = {run.name: run.said for run in runs}
    if made.kept:
        click.echo(f"{numbered(made.kept, 'report')} had been finished before, and were kept.")
    if made.repaired:
        names = in_words(list(made.repaired))
        click.echo(f"Hid more, so that nothing can be worked out of the reports together: {names}.")
    for name, release in made.releases.items():
        click.echo(f"- {said[name]}: {release.folder.parent / 'release' / 'pack' / 'index.html'}")
    if made.releases:
        click.echo(
            f"Published {numbered(len(made.releases), 'report')}; the audit found nothing that can be worked out."
        )
    for name, sentences in made.failed.items():
        missing = "pages are missing" if name in made.releases else "not made"
        click.echo(f"{said[name]}: {missing}. {' '.join(sentences)}", err=True)
    return not made.failed


@contextmanager
def _progress(every: int) -> Iterator[tuple[Callable[[int, int], None], Callable[[str], None]]]:
    """One bar on a terminal, with the time that is left, and lines above it; without a terminal, the lines alone."""
    from tqdm import tqdm

    with tqdm(desc="Making the reports", total=every, unit=" reports", leave=False, disable=None) as bar:
        begun: list[int] = []

        def show(done: int, total: int) -> None:
            if not begun:  # what was finished before took no time
                bar.initial = done
                bar.reset(total)
                begun.append(done)
            bar.n = done
            bar.refresh()

        yield show, lambda sentence: tqdm.write(sentence, file=sys.stderr)
