from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ogf.errors import ErrorClass, SourceError
from ogf.hookspecs import Request
from ogf.paging import ChainGuard, CursorPages, OffsetPages, clamp_page_size

FIRST = Request("emissions", {"month": "2026-01"})


def guard(max_pages=1000, **more):
    return ChainGuard(provider="my-cloud", max_pages=max_pages, **more)


def drain(pages, guard, answer):
    """The runner's loop over a chain; `answer(params)` gives items and what `next` wants to know."""
    request, asked = FIRST, []
    while request is not None:
        guard.admit(request.params)
        asked.append(dict(request.params))
        items, *told = answer(request.params)
        request = pages.next(request, *told)
        guard.page_done(items, has_more=request is not None)
    return asked


def test_b4_a_cursor_means_more_and_an_empty_one_ends():
    pages, progress = CursorPages(), guard()
    following = pages.next(FIRST, "abc")
    assert following == Request("emissions", {"month": "2026-01", "cursor": "abc"})
    progress.page_done(100, has_more=following is not None)
    assert (progress.items, progress.pages, progress.has_more) == (100, 1, True)
    assert pages.next(following, "") is None
    assert pages.next(following, None) is None
    progress.page_done(20, has_more=False)
    assert str(progress) == "pages=2 items=120 hasMore=false"


def test_b4_the_request_itself_is_not_changed():
    CursorPages("NextToken").next(FIRST, "abc")
    assert FIRST.params == {"month": "2026-01"}


def test_b5_after_one_page_of_25_the_next_offset_is_25():
    pages = OffsetPages(page_size=25)
    assert pages.next_offset() == 25
    assert pages.next_offset(50, pages=2) == 100
    second = pages.next(FIRST, 25)
    assert second is not None
    assert second.params["offset"] == 25
    third = pages.next(second, 25)
    assert third is not None
    assert third.params["offset"] == 50


@given(total=st.integers(0, 400), size=st.integers(1, 60))
def test_b5_offsets_read_every_item_once(total, size):
    progress = guard()
    rows: list[int] = []

    def answer(params):
        page = range(total)[params.get("offset", 0) :][:size]
        rows.extend(page)
        return len(page), len(page)

    drain(OffsetPages(page_size=size), progress, answer)
    assert rows == list(range(total))
    assert progress.items == total


def test_b6_three_pages_pass_the_fourth_is_refused():
    progress = guard(max_pages=3)
    with pytest.raises(SourceError):
        drain(CursorPages(), progress, lambda params: (10, params.get("cursor", "") + "x"))
    assert (progress.pages, progress.items, progress.has_more) == (3, 30, False)


def test_b6_a_chain_that_ends_at_the_cap_is_whole():
    progress = guard(max_pages=3)
    cursors = iter(["a", "b", ""])
    drain(CursorPages(), progress, lambda params: (10, next(cursors)))
    assert progress.pages == 3


def test_b6_no_cap():
    cursors = iter([*map(str, range(1, 2500)), ""])
    progress = guard(max_pages=0)
    drain(CursorPages(), progress, lambda params: (1, next(cursors)))
    assert progress.items == 2500


def test_b6_pages_of_an_earlier_attempt_count():
    progress = guard(max_pages=3, pages=2, items=20)
    progress.admit({"cursor": "c"})
    progress.page_done(10, has_more=True)
    assert progress.items == 30
    with pytest.raises(SourceError):
        progress.admit({"cursor": "d"})


def test_b93_the_first_page_is_asked_without_a_cursor():
    asked = drain(CursorPages(), guard(), lambda params: (0, None))
    assert asked == [{"month": "2026-01"}]
    assert guard().has_more, "nothing was asked yet: not done"


@pytest.mark.parametrize("cycle", [["a"], ["a", "b"], ["a", "b", "c"]])
def test_b94_a_repeated_cursor_is_an_error_within_two_requests(cycle):
    asked = []

    def answer(params):
        asked.append(params.get("cursor"))
        return 1, cycle[(len(asked) - 1) % len(cycle)]

    with pytest.raises(SourceError, match="already made") as caught:
        drain(CursorPages(), guard(max_pages=0), answer)
    assert asked == [None, *cycle]
    assert caught.value.error_class is ErrorClass.UNKNOWN


def test_b94_the_order_of_parameters_does_not_hide_a_repetition():
    progress = guard()
    progress.admit({"a": 1, "b": [1, {"c": 2}]})
    with pytest.raises(SourceError):
        progress.admit({"b": [1, {"c": 2}], "a": 1})
    assert not progress.has_more


def test_b94_chains_do_not_disturb_each_other():
    guard().admit({"cursor": "a"})
    guard().admit({"cursor": "a"})


def test_b95_the_message_names_the_cap_and_its_setting():
    progress = guard(max_pages=1, where="my-cloud/carbon/2026-01")
    with pytest.raises(SourceError) as caught:
        drain(CursorPages(), progress, lambda params: (10, "more"))
    assert caught.value.error_class is ErrorClass.BAD_REQUEST
    for part in ("my-cloud/carbon/2026-01", "page cap of 1", "`max_pages`", "OFFGRIDFLOW_MY_CLOUD_MAX_PAGES"):
        assert part in str(caught.value)


def test_b96_an_empty_page_with_a_cursor_goes_on():
    answers = iter([(0, "a"), (0, "b"), (7, None)])
    progress = guard()
    assert len(drain(CursorPages(), progress, lambda params: next(answers))) == 3
    assert progress.items == 7


def test_b96_a_short_last_page_costs_no_further_request():
    assert OffsetPages(page_size=25).next(FIRST, 24) is None


def test_b96_what_the_source_says_wins():
    offsets, cursors = OffsetPages(page_size=25), CursorPages()
    assert offsets.next(FIRST, 25, more=False) is None
    assert offsets.next(FIRST, 3, more=True) is not None
    assert cursors.next(FIRST, "left over", more=False) is None
    assert cursors.next(FIRST, "a", more=True) is not None


def test_b96_more_without_a_cursor_is_not_taken_for_the_end():
    with pytest.raises(SourceError, match="names no `NextToken`"):
        CursorPages("NextToken").next(FIRST, None, more=True)


@pytest.mark.parametrize(
    ("asked", "largest", "given"),
    [
        (0, 10_000, 100),
        (-5, 10_000, 100),
        (1, 10_000, 1),
        (10_001, 10_000, 10_000),
        (6000, 5000, 5000),
        (0, 50, 50),
    ],
)
def test_page_size_is_clamped(asked, largest, given):
    assert clamp_page_size(asked, largest=largest) == given
    assert OffsetPages(page_size=asked, largest=largest).page_size == given
