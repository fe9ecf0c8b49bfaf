"""The ledger of what is posted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine

from storage.errors import NotRecorded
from storage.posts import Post, SqlPosts


@pytest.fixture
def posts(engine: Engine) -> SqlPosts:
    return SqlPosts(engine)


def found(posts: SqlPosts, key: str = "r1/ranking") -> Post:
    post = posts.find(key)
    assert post is not None
    return post


def test_what_was_never_intended_is_not_found(posts: SqlPosts) -> None:
    assert posts.find("r1/ranking") is None


def test_an_intention_is_found_and_says_that_it_may_have_been_made(posts: SqlPosts) -> None:
    assert posts.intend("r1/ranking", "C1", "1.0")
    post = found(posts)
    assert (post.channel, post.thread_ts, post.ts, post.digest, post.posted_at) == ("C1", "1.0", None, None, None)


def test_a_second_intention_is_refused_and_changes_nothing(posts: SqlPosts) -> None:
    posts.intend("r1/ranking", "C1", None)
    before = found(posts)
    assert not posts.intend("r1/ranking", "C2", "2.0")
    assert found(posts) == before


def test_of_many_who_intend_at_once_one_is_told_to_post(posts: SqlPosts) -> None:
    with ThreadPoolExecutor(8) as threads:
        told = list(threads.map(lambda _: posts.intend("r1/ranking", "C1", None), range(16)))
    assert sum(told) == 1


def test_a_record_says_where_it_is(posts: SqlPosts) -> None:
    posts.intend("r1/ranking", "C1", None)
    posts.record("r1/ranking", "5.0", "d1")
    post = found(posts)
    assert (post.ts, post.digest) == ("5.0", "d1")
    assert post.posted_at is not None
    assert post.posted_at >= post.intended_at


def test_an_edit_replaces_the_digest_and_not_the_time(posts: SqlPosts) -> None:
    posts.intend("r1/ranking", "C1", None)
    posts.record("r1/ranking", "5.0", "d1")
    before = found(posts)
    posts.record("r1/ranking", "5.0", "d2")
    after = found(posts)
    assert (after.digest, after.posted_at) == ("d2", before.posted_at)


def test_a_record_without_an_intention_is_refused(posts: SqlPosts) -> None:
    with pytest.raises(NotRecorded, match="'r1/ranking' was never intended"):
        posts.record("r1/ranking", "5.0", "d1")


def test_a_message_shows_the_detail_that_was_recorded_with_it(posts: SqlPosts) -> None:
    detail = {"hypothesis_id": "h1", "rank": 1, "b_wr": [0.6, 0.5, 0.7], "note": None}
    posts.intend("r1/h1", "C1", "1.0")
    posts.record("r1/h1", "5.0", "d1", detail)
    assert posts.shows("C1", "5.0") == detail


def test_an_edit_keeps_the_detail_unless_it_brings_another(posts: SqlPosts) -> None:
    posts.intend("r1/h1", "C1", "1.0")
    posts.record("r1/h1", "5.0", "d1", {"rank": 1})
    posts.record("r1/h1", "5.0", "d2")
    assert posts.shows("C1", "5.0") == {"rank": 1}
    posts.record("r1/h1", "5.0", "d3", {"rank": 2})
    assert posts.shows("C1", "5.0") == {"rank": 2}


def test_a_message_of_another_channel_or_without_detail_shows_nothing(posts: SqlPosts) -> None:
    posts.intend("r1/h1", "C1", None)
    posts.record("r1/h1", "5.0", "d1", {"rank": 1})
    posts.intend("r1/ranking", "C1", None)
    posts.record("r1/ranking", "6.0", "d1")
    assert (posts.shows("C2", "5.0"), posts.shows("C1", "6.0"), posts.shows("C1", "7.0")) == (None, None, None)
