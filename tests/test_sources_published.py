"""The typed-in figures are read as they stand in the file: text, nothing added, nothing guessed."""

from __future__ import annotations

import csv
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.sources import published
from safeguarding_analytics.sources.published import read_published

FILES = sorted((Path(__file__).parents[1] / "data" / "published").glob("*.csv"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_file_is_read_cell_by_cell_as_text(file):
    with file.open(encoding="utf-8", newline="") as opened:
        header, *rows = csv.reader(opened)
    expected = pl.DataFrame(
        [[cell or None for cell in row] for row in rows], schema=dict.fromkeys(header, pl.String), orient="row"
    )
    assert_frame_equal(read_published(file.stem), expected)


def test_unknown_file_is_refused_with_the_nearest_name():
    with pytest.raises(ParameterError) as caught:
        read_published("kent_training_2007")
    assert str(caught.value) == (
        'there is no file of published figures "kent_training_2007". Did you mean "kent_training_2007_08"?'
    )


@pytest.mark.parametrize("name", ["", "README", "../demo_board/plans", "kent_training_2007_08.csv", "/etc/passwd"])
def test_only_files_of_the_folder_can_be_named(name):
    with pytest.raises(ParameterError, match="there is no file of published figures"):
        read_published(name)


def test_installed_figures_are_read_where_the_package_has_them(tmp_path, monkeypatch):
    (tmp_path / "figures.csv").write_text("area,count\nKent,007\nMedway,\n", encoding="utf-8")
    monkeypatch.setattr(published, "FILES", tmp_path)
    assert_frame_equal(read_published("figures"), pl.DataFrame({"area": ["Kent", "Medway"], "count": ["007", None]}))
