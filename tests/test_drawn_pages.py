"""A page is worked out once for each state, by few kernels at once, and what failed or was taken away is not kept."""

import asyncio
from itertools import pairwise
from types import SimpleNamespace

import pytest

from safeguarding_analytics.drawn_pages import BusyError, Drawn, DrawnPages
from safeguarding_analytics.errors import SafeguardingError


class Studio:
    """Draws pages that say which state they show, as fast as it is let; notes what it draws."""

    def __init__(self):
        self.now, self.runs, self.at_work, self.most = "one", [], 0, 0
        self.gate, self.whole, self.replaced_by = asyncio.Event(), True, []
        self.gate.set()

    def state(self):
        if self.now is None:
            raise SafeguardingError("there is no release.")
        return self.now

    async def draw(self, name):
        self.runs.append(name)
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        shown = self.now
        try:
            await self.gate.wait()
            await asyncio.sleep(0)
            if self.replaced_by:
                self.now = self.replaced_by.pop()
            if self.whole is None:
                raise RuntimeError("the kernel ended")
            return Drawn(f"{name} of {shown}".encode(), self.whole)
        finally:
            self.at_work -= 1


def run(story, **options):
    async def told():
        studio = Studio()
        given = {"kernels": 2, "patience": 5, **options}
        return await story(studio, DrawnPages(studio.draw, studio.state, **given))

    return asyncio.run(told())


def test_twenty_viewers_at_once_are_given_one_run_and_later_ones_none():
    async def story(studio, pages):
        at_once = await asyncio.gather(*(pages.get("a") for _ in range(20)))
        later = await pages.get("a")
        return studio, {*at_once, later}

    studio, given = run(story)
    assert given == {b"a of one"}
    assert studio.runs == ["a"]


def test_another_state_is_worked_out_once_more_and_the_old_page_is_never_given_again():
    async def story(studio, pages):
        first = await pages.get("a")
        studio.now = "two"
        return studio, first, await pages.get("a"), await pages.get("a")

    studio, *given = run(story)
    assert given == [b"a of one", b"a of two", b"a of two"]
    assert studio.runs == ["a", "a"]


def test_what_was_taken_away_is_not_shown_although_it_was_kept():
    async def story(studio, pages):
        await pages.get("a")
        studio.now = None
        with pytest.raises(SafeguardingError, match="there is no release"):
            await pages.get("a")
        studio.now = "one"
        return studio, await pages.get("a")

    studio, given = run(story)
    assert (studio.runs, given) == (["a"], b"a of one")


async def asked(pages, name="a"):
    """What a viewer is given: a page, or the sort of an error."""
    try:
        return await pages.get(name)
    except RuntimeError as error:
        return str(error)


@pytest.mark.parametrize(("whole", "given"), [(False, b"a of one"), (None, "the kernel ended")])
def test_what_fails_is_not_worked_out_again_for_whoever_loads_it_until_a_while_has_passed(whole, given):
    """Loading a page that fails, again and again, would otherwise keep the computer at work."""

    async def story(studio, pages):
        studio.whole = whole
        first = [await asked(pages) for _ in range(20)]
        begun = len(studio.runs)
        studio.whole = True
        await asyncio.sleep(0.25)
        return begun, first, [await asked(pages) for _ in range(3)], studio

    begun, first, later, studio = run(story, again=0.2)
    assert (begun, first) == (1, [given] * 20)
    assert (studio.runs, later) == (["a", "a"], [b"a of one"] * 3)


@pytest.mark.parametrize("whole", [False, None])
def test_what_fails_is_worked_out_again_at_once_for_another_state(whole):
    async def story(studio, pages):
        studio.whole = whole
        await asked(pages)
        studio.now, studio.whole = "two", True
        return studio, await asked(pages)

    studio, given = run(story, again=1000)
    assert (studio.runs, given) == (["a", "a"], b"a of two")


def test_what_fails_again_is_left_alone_for_twice_as_long():
    async def story(studio, pages):
        studio.whole, begun = False, []
        loop = asyncio.get_running_loop()
        draw = studio.draw

        async def noted(name):
            begun.append(loop.time())
            return await draw(name)

        again = DrawnPages(noted, studio.state, kernels=2, patience=5, again=0.1)
        while len(begun) < 4:
            await again.get("a")
            await asyncio.sleep(0.005)
        return [later - sooner for sooner, later in pairwise(begun)]

    for waited, least in zip(run(story), (0.1, 0.2, 0.4), strict=True):
        assert waited >= least


def test_run_that_breaks_down_is_an_error_for_all_who_wait():
    async def story(studio, pages):
        studio.whole = None
        broken = await asyncio.gather(pages.get("a"), pages.get("a"), return_exceptions=True)
        return studio, broken

    studio, broken = run(story)
    assert [type(each) for each in broken] == [RuntimeError, RuntimeError]
    assert studio.runs == ["a"]


def test_page_whose_release_is_replaced_while_it_is_worked_out_is_worked_out_again():
    async def story(studio, pages):
        studio.replaced_by = ["two"]
        return studio, await pages.get("a"), await pages.get("a")

    studio, *given = run(story)
    assert given == [b"a of two", b"a of two"]
    assert studio.runs == ["a", "a"]


def test_page_of_a_release_that_never_stands_still_is_neither_given_nor_kept():
    async def story(studio, pages):
        studio.replaced_by = ["four", "three", "two"]
        with pytest.raises(BusyError, match="being replaced"):
            await pages.get("a")
        studio.now = "three"  # the state of the last run when it began
        return studio, await pages.get("a")

    studio, given = run(story)
    assert given == b"a of three"
    assert studio.runs == ["a"] * 4


@pytest.mark.parametrize("kernels", [1, 3])
def test_no_more_pages_are_worked_out_at_once_than_there_may_be_kernels(kernels):
    async def story(studio, pages):
        given = await asyncio.gather(*(pages.get(name) for name in "abcdef" for _ in range(3)))
        return studio, set(given)

    studio, given = run(story, kernels=kernels)
    assert studio.most == kernels
    assert sorted(studio.runs) == list("abcdef")
    assert len(given) == 6


def test_viewer_who_waits_too_long_is_told_and_finds_the_page_later():
    async def story(studio, pages):
        studio.gate.clear()
        for name in ("a", "b"):  # one at work, and one that waits its turn
            with pytest.raises(BusyError, match="not worked out yet"):
                await pages.get(name)
        studio.gate.set()
        return studio, await pages.get("a"), await pages.get("b")

    studio, *given = run(story, kernels=1, patience=0.05)
    assert given == [b"a of one", b"b of one"]
    assert studio.runs == ["a", "b"]


def test_viewer_who_goes_away_takes_the_run_from_nobody():
    async def story(studio, pages):
        studio.gate.clear()
        gone = asyncio.ensure_future(pages.get("a"))
        await asyncio.sleep(0.01)
        gone.cancel()
        stays = asyncio.ensure_future(pages.get("a"))
        await asyncio.sleep(0.01)
        studio.gate.set()
        return studio, await stays

    studio, given = run(story)
    assert (studio.runs, given) == (["a"], b"a of one")


async def until(condition):
    while not condition():
        await asyncio.sleep(0.005)


def test_pages_are_worked_out_ahead_one_after_the_other_and_again_for_another_state():
    async def story(studio, pages):
        seen = SimpleNamespace()
        pages.heat()
        await until(lambda: len(studio.runs) == 3 and not studio.at_work)
        seen.most, seen.first = studio.most, list(studio.runs)
        studio.now = "two"
        await pages.get("c")
        await until(lambda: len(studio.runs) == 6 and not studio.at_work)
        seen.again = studio.runs[3:]
        return seen, [await pages.get(name) for name in "abc"], studio

    seen, given, studio = run(story, ahead=("a", "b", "c"))
    assert (seen.most, seen.first) == (1, ["a", "b", "c"])
    assert sorted(seen.again) == ["a", "b", "c"]
    assert given == [b"a of two", b"b of two", b"c of two"]
    assert len(studio.runs) == 6


def test_no_page_is_begun_ahead_while_a_viewer_waits_for_another():
    async def story(studio, pages):
        studio.gate.clear()
        pages.heat()
        await until(lambda: studio.runs == ["a"])
        viewer = asyncio.ensure_future(pages.get("d"))
        await until(lambda: studio.runs == ["a", "d"])
        begun = list(studio.runs)
        studio.gate.set()
        await viewer
        await until(lambda: len(studio.runs) == 4 and not studio.at_work)
        return begun, studio.runs

    begun, runs = run(story, ahead=("a", "b", "c"), kernels=3)
    assert begun == ["a", "d"]
    assert runs == ["a", "d", "b", "c"]


def test_a_page_that_breaks_down_ahead_does_not_keep_the_others_back():
    async def story(studio, pages):
        studio.whole = None
        pages.heat()
        await until(lambda: len(studio.runs) == 2 and not studio.at_work)
        return studio

    assert run(story, ahead=("a", "b")).runs == ["a", "b"]


def test_runs_that_are_under_way_end_when_it_is_closed():
    async def story(studio, pages):
        studio.gate.clear()
        pages.heat()
        waiting = asyncio.ensure_future(pages.get("b"))
        await until(lambda: studio.at_work == 2)
        await pages.close()
        given = await asyncio.gather(waiting, return_exceptions=True)
        return studio, given

    studio, (given,) = run(story, ahead=("a", "b", "c"))
    assert studio.at_work == 0
    assert studio.runs == ["a", "b"]
    assert isinstance(given, asyncio.CancelledError)


def test_nothing_is_worked_out_ahead_where_there_is_nothing_to_show():
    async def story(studio, pages):
        studio.now = None
        pages.heat()
        await asyncio.sleep(0.01)
        return studio

    assert run(story, ahead=("a",)).runs == []


def test_no_page_is_begun_once_it_is_closed():
    async def story(studio, pages):
        studio.gate.clear()
        waiting = asyncio.ensure_future(pages.get("a"))
        await until(lambda: studio.at_work == 1)
        closing = asyncio.ensure_future(pages.close())
        await asyncio.sleep(0)
        with pytest.raises(BusyError, match="no page is worked out any more"):
            await pages.get("b")
        pages.heat()
        await asyncio.gather(closing, waiting, return_exceptions=True)
        await asyncio.sleep(0.01)
        return studio

    assert run(story, ahead=("c",)).runs == ["a"]
