"""Keyed pseudonyms: the same person and key give the same one, and the key is nowhere."""

import copy
import hashlib
import pickle
import re
import stat

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_series_equal

from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.pseudonyms import Key, others_can_read, pseudonyms, read_key, write_key

SECRET = bytes(range(32))
KEY = Key(SECRET)


def by_hand(value, secret=SECRET):
    """The definition, written out: keyed BLAKE2b of 10 bytes."""
    return "P" + hashlib.blake2b(value.strip().casefold().encode(), key=secret, digest_size=10).hexdigest()


def test_pseudonym_is_keyed_blake2b_of_the_trimmed_and_folded_value():
    found = pseudonyms(pl.Series("person", [" Jane@Kent.UK", "jane@kent.uk ", "STRASSE", "straße", None]), KEY)
    jane, street = by_hand("jane@kent.uk"), by_hand("strasse")
    assert_series_equal(found, pl.Series("person", [jane, jane, street, street, None]))
    assert all(re.fullmatch(r"P[0-9a-f]{20}", value) for value in found.drop_nulls())


def test_another_key_gives_everybody_another_pseudonym():
    people = pl.Series([f"p{number}@a.uk" for number in range(1_000)])
    one, other = pseudonyms(people, KEY), pseudonyms(people, Key(bytes(32)))
    assert set(one) & set(other) == set()
    assert len(set(one) | set(other)) == 2_000


@given(st.lists(st.one_of(st.none(), st.text(max_size=12)), max_size=20))
def test_people_are_equal_exactly_when_their_folded_values_are(values):
    found = pseudonyms(pl.Series(values, dtype=pl.String), KEY)
    assert found.to_list() == [None if value is None else by_hand(value) for value in values]


@pytest.mark.parametrize("values", [[], [None], [None, None]])
def test_nobody_gets_no_pseudonym(values):
    assert pseudonyms(pl.Series(values, dtype=pl.String), KEY).to_list() == values


def test_key_written_is_read_and_only_its_owner_may(tmp_path):
    path = write_key(tmp_path / "pseudonym.key")
    text = path.read_text(encoding="ascii")
    assert re.fullmatch(r"[0-9a-f]{64}\n", text)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not others_can_read(path)
    read = read_key(path, tmp_path)
    assert read.pseudonym("a") == by_hand("a", bytes.fromhex(text.strip()))
    assert read.hexadecimal() == text.strip()
    path.chmod(0o640)
    assert others_can_read(path)


def test_two_keys_are_never_the_same(tmp_path):
    keys = {write_key(tmp_path / str(number)).read_text(encoding="ascii") for number in range(20)}
    assert len(keys) == 20


def test_key_is_never_overwritten(tmp_path):
    path = tmp_path / "pseudonym.key"
    path.write_text("ours", encoding="ascii")
    with pytest.raises(ParameterError, match="there is a key already, and it stays"):
        write_key(path)
    assert path.read_text(encoding="ascii") == "ours"


def test_key_is_not_written_into_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ParameterError, match="Nothing was written"):
        write_key(tmp_path / "nowhere" / "pseudonym.key")


def test_missing_key_names_the_command_that_makes_one(tmp_path):
    with pytest.raises(TableError, match=f"safeguarding key {tmp_path.name}"):
        read_key(tmp_path / "pseudonym.key", tmp_path)


@pytest.mark.parametrize("content", [b"", b"short", b"g" * 64, b"a" * 63, b"a" * 66, b"\xff\xfe" * 40])
def test_file_that_is_no_key_is_refused_without_saying_what_it_holds(tmp_path, content):
    path = tmp_path / "pseudonym.key"
    path.write_bytes(content)
    with pytest.raises(TableError, match="does not hold 64 hexadecimal digits") as caught:
        read_key(path, tmp_path)
    if len(content) > 1:
        assert content.decode("latin-1") not in str(caught.value)


def test_folder_in_the_place_of_a_key_is_refused(tmp_path):
    (tmp_path / "pseudonym.key").mkdir()
    with pytest.raises(TableError, match="is not there"):
        read_key(tmp_path / "pseudonym.key", tmp_path)


def test_key_is_in_no_text_of_itself_and_is_not_stored():
    shown = f"{KEY!r} {KEY} {[KEY]} {format(KEY)}"
    assert SECRET.hex() not in shown
    assert repr(SECRET) not in shown
    for store in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="not to be stored"):
            store(KEY)
    assert not hasattr(KEY, "__dict__")
