"""Packets survive the trip, and any other bytes are told apart from them without harm."""

from __future__ import annotations

import contextlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sandbox.guest.protocol import DOCUMENT_LENGTH, DTYPES, Malformed, Packet, decode, encode, read_exactly

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ARRAYS = st.dictionaries(
    st.text(max_size=5),
    st.sampled_from(sorted(DTYPES)).flatmap(
        lambda dtype: arrays.arrays(
            np.dtype(dtype), arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3)
        )
    ),
    max_size=4,
)


@given(values=st.dictionaries(st.text(), JSON, max_size=4), content=ARRAYS, blob=st.binary(max_size=50))
def test_a_packet_survives_the_trip(values: dict[str, object], content: dict[str, np.ndarray], blob: bytes) -> None:
    packet = decode(encode(Packet(values=values, arrays=content, blob=blob)))
    assert packet.values == values
    assert packet.blob == blob
    assert list(packet.arrays) == list(content)
    for name, array in content.items():
        assert packet.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(packet.arrays[name], array)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_packet_or_malformed(data: bytes) -> None:
    with contextlib.suppress(Malformed):
        decode(data)


@given(JSON | st.dictionaries(st.sampled_from(["values", "arrays"]), JSON, max_size=2), st.binary(max_size=40))
def test_any_document_is_a_packet_or_malformed(document: object, rest: bytes) -> None:
    text = json.dumps(document).encode()
    with contextlib.suppress(Malformed):
        decode(DOCUMENT_LENGTH.pack(len(text)) + text + rest)


@given(ARRAYS.filter(lambda content: any(array.nbytes for array in content.values())))
def test_a_packet_that_was_cut_short_is_malformed(content: dict[str, np.ndarray]) -> None:
    data = encode(Packet(arrays=content))
    with pytest.raises(Malformed):
        decode(data[:-1])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_no_json_is_not_sent(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode(Packet(values={"x": value}))


def test_an_array_of_objects_is_not_sent() -> None:
    with pytest.raises(ValueError, match="'x' has dtype object"):
        encode(Packet(arrays={"x": np.array([None])}))


def test_a_stream_that_ends_early_says_how_far_it_came() -> None:
    parts = [b"ab", b"c", b""]
    with pytest.raises(EOFError, match="3 of 5"):
        read_exactly(lambda size: parts.pop(0), 5)
