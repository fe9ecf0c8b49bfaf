"""Fetching models and data sets: the hub's own client, over a socket, from a hub of these tests."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from wire_hub import NOBODY, WireHub, wire_hub

from engine.errors import TaskDataError
from engine.experiment.fetched import DATA, MIB, MODELS, Wanted
from engine.experiment.hub import HuggingFaceHub, NoHub, read
from engine.experiment.within import Interrupted

WEIGHTS = b"\x08\0\0\0\0\0\0\0{}      " + bytes(500)
BERT = Wanted(what=MODELS, repository="someone/tiny-bert")
TWEETS = Wanted(what=DATA, repository="team/tweets")
CSV = b"text,label\nfine weather today,1\n"


@pytest.fixture
def hub() -> Iterator[WireHub]:
    with wire_hub() as served:
        served.add(
            "models", "someone/tiny-bert", model__safetensors=WEIGHTS, config__json=b"{}", pytorch_model__bin=b"x"
        )
        served.add("datasets", "team/tweets", data___train__csv=CSV, load__py=b"import os")
        yield served


def never() -> bool:
    return False


Opened = Callable[..., HuggingFaceHub]


@pytest.fixture
def opened(hub: WireHub, tmp_path: Path) -> Opened:
    def make(most_bytes: int = MIB, url: str = hub.url) -> HuggingFaceHub:
        return HuggingFaceHub(tmp_path / "hub", most_bytes, endpoint=url)

    return make


def test_a_model_is_fetched_at_its_commit_with_the_digest_of_each_file(hub: WireHub, opened: Opened) -> None:
    found = opened().fetch(BERT, MIB, never)
    assert found.revision == hub.repositories[0].commit
    assert found.files == {
        "config.json": hashlib.sha256(b"{}").hexdigest(),
        "model.safetensors": hashlib.sha256(WEIGHTS).hexdigest(),
    }
    assert (found.size, found.licence) == (len(WEIGHTS) + 2, "mit")
    assert read(opened(), [found]) == {
        "models/someone--tiny-bert/config.json": b"{}",
        "models/someone--tiny-bert/model.safetensors": WEIGHTS,
    }


def test_what_is_here_is_never_downloaded_again_and_is_read_without_a_network(hub: WireHub, opened: Opened) -> None:
    found = opened().fetch(BERT, MIB, never)
    assert opened().fetch(BERT, MIB, never) == found
    assert sorted(hub.downloads) == ["config.json", "model.safetensors"]
    for offline in (opened(url=NOBODY), opened(most_bytes=0)):
        assert len(read(offline, [found])) == 2


def test_what_was_deleted_is_fetched_again_at_the_same_commit(hub: WireHub, opened: Opened) -> None:
    found = opened().fetch(TWEETS, MIB, never)
    opened().forget(found)
    assert read(opened(), [found]) == {"data/team--tweets/data/train.csv": CSV}
    opened().forget(found)
    hub.repositories[1].files["data/train.csv"] = b"another"
    with pytest.raises(TaskDataError, match=r"at commit .* was not found \(404\)"):
        read(opened(), [found])


def test_no_token_is_sent(hub: WireHub, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    opened().fetch(BERT, MIB, never)
    assert hub.tokens == []


def parquet(columns: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream)
    return stream.getvalue()


def test_parquet_is_handed_in_as_csv(hub: WireHub, opened: Opened) -> None:
    hub.add("datasets", "team/rows", train__parquet=parquet({"a": [1, 2], "b": ["x", None]}))
    found = opened().fetch(Wanted(what=DATA, repository="team/rows"), MIB, never)
    (content,) = read(opened(), [found]).values()
    assert content == b'"a","b"\n1,"x"\n2,\n'
    opened().forget(found)
    assert list(read(opened(), [found])) == ["data/team--rows/train.parquet.csv"]


def test_what_is_too_large_is_refused_before_any_of_it_is_downloaded(hub: WireHub, opened: Opened) -> None:
    with pytest.raises(TaskDataError) as refused:
        opened().fetch(BERT, 100, never)
    assert "is too large" in str(refused.value)
    assert "CONJECTURE_HUB_MIB" in str(refused.value)
    assert "model.safetensors" in str(refused.value)
    assert hub.downloads == []


def test_what_is_larger_than_the_hub_said_is_not_kept(hub: WireHub, opened: Opened, tmp_path: Path) -> None:
    repository = hub.add("models", "someone/liar", model__safetensors=WEIGHTS * 1000)
    repository.sizes = {"model.safetensors": 10}
    with pytest.raises(TaskDataError, match="could not be fetched: more than"):
        opened().fetch(Wanted(what=MODELS, repository="someone/liar"), 1000, never)
    assert not [path for path in (tmp_path / "hub").rglob("*") if path.is_file() and path.stat().st_size > 1000]


def test_parquet_that_unfolds_beyond_the_room_is_refused(hub: WireHub, opened: Opened) -> None:
    packed = parquet({"a": np.zeros(100_000)})
    hub.add("datasets", "team/zeros", train__parquet=packed)
    with pytest.raises(TaskDataError, match="unfolds to more than"):
        opened().fetch(Wanted(what=DATA, repository="team/zeros"), 2 * len(packed), never)


REFUSED = [
    (Wanted(what=MODELS, repository="someone/none"), "was not found (404)"),
    (Wanted(what=MODELS, repository="someone/tiny-bert", revision="v9"), "was not found (404)"),
    (Wanted(what=MODELS, repository="someone/tiny-bert", files=("no.json",)), "no file 'no.json'. It has: model.saf"),
    (Wanted(what=MODELS, repository="someone/tiny-bert", files=("pytorch_model.bin",)), "neither run nor hide"),
    (Wanted(what=DATA, repository="team/tweets", files=("load.py",)), "neither run nor hide"),
    (Wanted(what=MODELS, repository="someone/pickles"), "no file that may be fetched"),
    (Wanted(what=MODELS, repository="someone/disguised"), "whatever its name says, it is a pickle"),
    (Wanted(what=MODELS, repository="someone/escaping"), "cannot be laid out as a file"),
    (Wanted(what=MODELS, repository="someone/unsized"), "does not say how large"),
]


@pytest.mark.parametrize(("wanted", "told"), REFUSED, ids=lambda one: one if isinstance(one, str) else None)
def test_what_may_not_be_fetched_is_refused_in_a_sentence(
    hub: WireHub, opened: Opened, wanted: Wanted, told: str
) -> None:
    hub.add("models", "someone/pickles", model__bin=b"\x80\x04")
    hub.add("models", "someone/disguised", vocab__txt=b"\x80\x04\x95")
    hub.add("models", "someone/escaping").files["../../out.json"] = b"{}"
    hub.add("models", "someone/unsized", config__json=b"{}").sizes = {"config.json": None}
    with pytest.raises(TaskDataError) as refused:
        opened().fetch(wanted, MIB, never)
    assert told in str(refused.value)


def test_a_file_that_was_changed_here_is_not_handed_in(opened: Opened, tmp_path: Path) -> None:
    found = opened().fetch(BERT, MIB, never)
    (weights,) = (tmp_path / "hub").rglob("model.safetensors")
    weights.resolve().write_bytes(b"other")
    with pytest.raises(TaskDataError, match=r"model\.safetensors is not the file that is recorded.*Delete"):
        read(opened(), [found])


def test_stopping_ends_a_download_and_leaves_nothing_half(hub: WireHub, opened: Opened, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        opened().fetch(BERT, MIB, lambda: True)
    assert not list((tmp_path / "hub").rglob("model.safetensors"))


def test_without_a_network_it_is_said_what_can_be_done(opened: Opened) -> None:
    with pytest.raises(TaskDataError, match=r"could not be fetched.*Without a network, go on with what lies here"):
        opened(url=NOBODY).fetch(BERT, MIB, never)


@pytest.mark.parametrize("which", ["switched off", "none"])
def test_where_nobody_outside_is_asked_that_is_said(hub: WireHub, opened: Opened, which: str) -> None:
    off = NoHub() if which == "none" else opened(most_bytes=0)
    with pytest.raises(TaskDataError, match="asks nobody outside"):
        off.fetch(BERT, MIB, never)
    assert hub.asked == []
