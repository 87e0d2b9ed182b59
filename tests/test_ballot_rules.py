"""What `safeguarding check` says of a vote before anything is counted."""

import polars as pl

from safeguarding_analytics.ballot_flags import check_seats, check_voters
from safeguarding_analytics.sources.files import ROW


def test_more_seats_than_issues_are_a_mistake_of_the_settings():
    (found,) = check_seats(4, ["Neglect", "Bullying", "Gangs"]).rows()
    assert found == ("board.toml", None, "priorities.seats", "no more seats than issues, of which there are 3", "4")
    assert check_seats(3, ["Neglect", "Bullying", "Gangs"]).is_empty()


def test_member_with_two_agencies_is_told_by_rows_and_without_a_name():
    ballots = pl.DataFrame(
        {
            "member": ["M1", "M1", "M2"],
            "agency": ["Health", "Police", "Police"],
            "issue": ["A", "B", "A"],
            ROW: [2, 3, 4],
        }
    )
    found = check_voters(ballots, None, "member")
    assert found["row"].to_list() == [2, 3]
    assert found["column"].unique().to_list() == ["agency"]
    assert found["rule"][0] == "one agency for each member: the same one in all rows of a ballot"
    assert found["found"].null_count() == 2
    assert check_voters(ballots.tail(2), None, "member").is_empty()
