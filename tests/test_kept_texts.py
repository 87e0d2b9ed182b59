"""Texts that are kept in this user's cache."""

import pytest

from safeguarding_analytics.kept_texts import kept_text


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: tmp_path / "cache")
    return tmp_path / "cache"


def files(folder):
    return sorted(path.name for path in folder.iterdir())


class Maker:
    """Makes a text, and counts how often."""

    def __init__(self, text):
        self.text, self.times = text, 0

    def __call__(self):
        self.times += 1
        return self.text


def test_text_is_made_once_and_is_the_same_afterwards(cache):
    maker = Maker('line one\r\nline two\n– "ç"')
    assert [kept_text("scripts", "1", maker) for _ in range(3)] == [maker.text] * 3
    assert maker.times == 1
    assert len(files(cache)) == 1


def test_text_of_another_version_is_made_anew_and_the_old_one_removed(cache):
    kept_text("scripts", "1", Maker("old"))
    kept_text("others", "1", Maker("stay"))
    assert kept_text("scripts", "2", Maker("new")) == "new"
    assert [name.rsplit("-", 1)[0] for name in files(cache)] == ["others-1", "scripts-2"]


@pytest.mark.parametrize("damage", [b"", b"li", b"line on\xff", b"line two"])
def test_damaged_file_is_not_used_and_replaced(cache, damage):
    maker = Maker("line one")
    kept_text("scripts", "1", maker)
    (path,) = cache.iterdir()
    path.write_bytes(damage)
    assert kept_text("scripts", "1", maker) == "line one"
    assert kept_text("scripts", "1", Maker("never made")) == "line one"
    assert maker.times == 2
    assert len(files(cache)) == 1


def test_who_cannot_write_there_has_the_text_all_the_same(cache):
    cache.write_text("no folder")
    maker = Maker("line one")
    assert [kept_text("scripts", "1", maker) for _ in range(2)] == ["line one"] * 2
    assert maker.times == 2


def test_full_disk_leaves_nothing_behind(cache, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safeguarding_analytics.kept_texts.os.replace", refuse)
    assert kept_text("scripts", "1", Maker("line one")) == "line one"
    assert files(cache) == []


def test_cache_is_of_this_user_alone(cache):
    kept_text("scripts", "1", Maker("line one"))
    assert cache.stat().st_mode & 0o077 == 0
