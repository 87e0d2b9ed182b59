"""A number is rounded alike in sentences, tables, workbooks and charts; digits are expected by hand."""

from __future__ import annotations

import re
from zipfile import ZipFile

import altair as alt
import polars as pl
import pytest
import vl_convert

from safeguarding_analytics.answers import show_table
from safeguarding_analytics.cells import HIDDEN_NOTE, MARKS, meaning_of, meanings_of, rounded
from safeguarding_analytics.chart_marks import in_digits
from safeguarding_analytics.chart_rows import number_in_words
from safeguarding_analytics.exports import write_csv, write_workbook
from safeguarding_analytics.safe import already_public
from safeguarding_analytics.sentences import HIDDEN, percent

# Python's own format prints 10.8, -0.2, 2.67, -10.8, 0 and 1.0 of the first, third, fourth, fifth, seventh and last.
HALVES = [
    (10.85, 1, "10.9"),
    (0.05, 1, "0.1"),
    (-0.25, 1, "-0.3"),
    (2.675, 2, "2.68"),
    (-10.85, 1, "-10.9"),
    (10.84, 1, "10.8"),
    (0.5, 0, "1"),
    (1.5, 0, "2"),
    (3 * 0.35, 1, "1.1"),  # 1.0499999999999998 in binary
]


@pytest.mark.parametrize(("value", "decimals", "printed"), HALVES)
def test_half_goes_away_from_0(value, decimals, printed):
    assert str(rounded(value, decimals)) == printed


@pytest.mark.parametrize(("value", "printed"), [(-0.04, "0.0"), (0.0, "0.0"), (-0.0, "0.0"), (7, "7.0")])
def test_decimals_stand_and_nought_has_no_sign(value, printed):
    assert str(rounded(value, 1)) == printed


def test_share_is_rounded_like_any_number():
    assert (percent(0.1085), percent(0.00025, 400), percent(0.1085, 99)) == ("10.9%", "0.0%", "11%")
    assert (percent(0.0005), percent(-0.0025), percent(-0.00001)) == ("0.1%", "-0.3%", "0.0%")


@pytest.mark.parametrize(("value", "decimals", "printed"), HALVES)
def test_chart_prints_the_same_digits(value, decimals, printed):
    label = in_digits("datum.value", f"'.{decimals}f'")
    data = alt.Data(values=[{"value": value}])
    chart = alt.Chart(data).transform_calculate(words=f"'number ' + {label}").mark_text().encode(text="words:N")
    (found,) = re.findall(r">number ([^<]+)<", vl_convert.vegalite_to_svg(chart.to_dict()))
    assert found.replace("−", "-") == printed


def test_page_sentence_and_chart_round_a_rate_as_a_spreadsheet_does(tmp_path):
    # 217 of 200,000 are 10.85 per 10,000, 1 is 0.05; a workbook holds these in full and shows one decimal.
    rates = pl.DataFrame(
        {"area": ["Kent", "Rutland"], "count": [217, 1], "population": [200_000] * 2, "rate": [10.85, 0.05]}
    ).with_columns(lower=pl.lit(9.45), upper=pl.lit(12.35), mark=pl.lit(""))
    safe = already_public(rates, "By hand")
    page = show_table(safe, caption="x").text
    assert "\nKent | 217 | 200,000 | 10.9 | 9.5 to 12.4\nRutland | 1 | 200,000 | 0.1 |" in page
    assert number_in_words(rates.row(0, named=True), "rate") == "10.9 (9.5 to 12.4)"
    write_workbook(safe, tmp_path / "a.xlsx")
    with ZipFile(tmp_path / "a.xlsx") as archive:
        sheet, styles = (archive.read(f"xl/{part}").decode() for part in ("worksheets/sheet1.xml", "styles.xml"))
    assert "<v>10.85</v>" in sheet
    assert 'formatCode="#,##0.0"' in styles
    write_csv(safe, tmp_path / "a.csv")
    assert b"Kent,217,200000,10.85,9.45,12.35,\r\n" in (tmp_path / "a.csv").read_bytes()


def test_every_mark_has_one_meaning_that_the_script_of_a_page_can_read():
    assert f"The figure is {HIDDEN_NOTE}." == HIDDEN
    assert meaning_of("[c]") == meaning_of("*") == HIDDEN_NOTE
    for mark, meaning in MARKS.items():  # page.js takes what stands between " = " and the first full stop
        assert re.findall(r"(\S+) = ([^.]+)\.", " ".join(meanings_of([mark]))) == [(mark, meaning)]
