"""Arrays as bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from storage.arrays import pack, unpack
from storage.errors import DamagedRecord

named = st.dictionaries(
    st.text(st.characters(exclude_categories=()), max_size=8),
    arrays(np.float32, array_shapes(min_dims=0, min_side=0, max_side=5)),
    max_size=4,
)


@given(named)
def test_arrays_come_back_bit_by_bit_in_their_order(given_arrays: dict[str, np.ndarray]) -> None:
    back = unpack(pack(given_arrays))
    assert [*back] == [*given_arrays]
    for name, array in given_arrays.items():
        assert (back[name].dtype, back[name].shape) == (np.float32, array.shape)
        assert back[name].tobytes() == array.tobytes()


def test_what_comes_back_can_be_written_to() -> None:
    back = unpack(pack({"y": np.zeros(3, np.float32)}))
    back["y"][0] = 1
    assert back["y"].tolist() == [1, 0, 0]


def test_a_transposed_array_comes_back_in_its_own_order() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T
    assert np.array_equal(unpack(pack({"y": array}))["y"], array)


def test_another_dtype_is_refused() -> None:
    with pytest.raises(ValueError, match="'y' is float64"):
        pack({"y": np.zeros(3)})


@given(st.binary(max_size=40))
def test_any_other_bytes_are_told_as_damage(data: bytes) -> None:
    with pytest.raises(DamagedRecord):
        unpack(data)


@given(st.integers(0, 200))
def test_a_cut_record_is_told_as_damage(length: int) -> None:
    whole = pack({"y": np.ones(30, np.float32)})
    with pytest.raises(DamagedRecord):
        unpack(whole[: min(length, len(whole) - 1)])
