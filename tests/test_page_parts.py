"""Charts as they are taken from a page for paper: as large as it allows, with letters that can be read."""

import re

import pytest

from safeguarding_analytics.page_parts import HIGHEST, WIDEST, blocks_of


def chart(width, height, *letters):
    texts = "".join(f'<text font-size="{each}px">Agency</text>' for each in letters)
    begins = f'<svg role="img" aria-label="Bars." width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
    (block,) = blocks_of(f'<main id="main"><figure class="chart">{begins}{texts}</svg></figure></main>')
    return block


def smallest(block, width):
    """Points of the smallest letters of a chart that is as wide as that."""
    box = re.search(r'viewBox="\S+ \S+ (\S+) \S+"', block["picture"])
    return min(map(float, re.findall(r'font-size="([\d.]+)', block["picture"]))) * width / float(box[1])


def test_chart_is_as_wide_as_paper_and_may_become_narrower_as_far_as_its_letters_are_eight_points():
    block = chart(680, 400, 13, 15)
    assert block["width"] == WIDEST
    # Letters of 13 of 680 are 8 points where all are 8 / 13 * 680 = 418.46 points.
    assert block["least"] == pytest.approx(418.46, abs=0.01)
    assert smallest(block, block["least"]) == pytest.approx(8, abs=0.001)
    assert block["slope"] == pytest.approx(400 / 680, abs=1e-6)


def test_chart_that_is_small_on_the_page_is_not_enlarged():
    assert chart(400, 300, 13)["width"] == 300  # three quarters of a point for a pixel


def test_letters_of_a_chart_as_high_as_the_page_are_made_larger_and_get_room_at_its_sides():
    block = chart(680, 1205, 13, 15, 20)
    assert block["width"] * block["slope"] == pytest.approx(HIGHEST, abs=0.01)
    assert smallest(block, block["width"]) >= 7.999
    assert block["least"] == block["width"]
    # 8 points are 8 / 660 * 1205 = 14.61 of its height; letters that are larger stay as they are.
    assert re.findall(r'font-size="([\d.]+)', block["picture"]) == ["14.61", "15.0", "20.0"]
    # A quarter of 680, larger by 14.61 / 13, needs 21.0 more: rounded up, 22 at either side.
    assert 'width="724"' in block["picture"]
    assert 'viewBox="-22 0 724 1205"' in block["picture"]


def test_chart_without_letters_or_without_a_size_is_taken_as_it_is():
    assert chart(680, 400)["least"] == WIDEST
    (block,) = blocks_of('<main><figure class="chart"><svg aria-label="x"></svg></figure></main>')
    assert block["width"] == WIDEST
