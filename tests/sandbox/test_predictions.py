"""Predictions are read from what hostile code wrote: exactly the expected array, or one sentence says what is wrong."""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
import pytest

from sandbox.predictions import Unusable, read_predictions
from sandbox.workspace import Expected, Numbers

THREE = Expected(shape=(3,))
CLASSES = Expected(shape=(3,), kind=Numbers.INTEGER)


def saved(array: Any, **more: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **more)
    return stream.getvalue()


def with_header(text: str, rest: bytes = b"") -> bytes:
    header = text.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + rest


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4", "int8", "int64", "uint8", "bool"])
def test_any_kind_of_real_number_is_taken(dtype: str) -> None:
    read = read_predictions(saved(np.array([1, 0, 1], dtype=dtype)), THREE)
    assert read.dtype == np.float64
    assert read.tolist() == [1, 0, 1]


def test_class_numbers_may_be_stored_as_floats() -> None:
    read = read_predictions(saved(np.array([2.0, 0.0, 1.0])), CLASSES)
    assert read.dtype == np.int64
    assert read.tolist() == [2, 0, 1]


def test_columns_first_and_version_2_are_read_alike() -> None:
    array = np.arange(6.0).reshape(2, 3)
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asfortranarray(array), version=(2, 0))
    assert read_predictions(stream.getvalue(), Expected(shape=(2, 3))).tolist() == array.tolist()


def test_a_single_number_and_no_numbers_are_arrays_too() -> None:
    assert read_predictions(saved(np.float32(3)), Expected(shape=())).tolist() == 3
    assert read_predictions(saved(np.zeros((0, 2))), Expected(shape=(0, 2))).shape == (0, 2)


WRONG = {
    "another shape": (saved(np.zeros((3, 1))), r"has shape \(3, 1\); expected real numbers of shape \(3,\)"),
    "too few": (saved(np.zeros(2)), r"has shape \(2,\)"),
    "text": (saved(np.array(["a", "b", "c"])), "holds str"),
    "objects": (saved(np.array([1, None, 2], dtype=object), allow_pickle=True), "holds object"),
    "complex numbers": (saved(np.zeros(3, complex)), "holds complex128"),
    "times": (saved(np.zeros(3, "datetime64[s]")), "holds datetime64"),
    "records": (saved(np.zeros(3, [("x", "f8")])), "holds void"),
    "not a number": (saved(np.array([1, np.nan, np.inf])), "2 of 3 predictions are not finite"),
    "a pickle": (pickle.dumps([1, 2, 3]), "no array in NumPy's npy format"),
    "nothing": (b"", "no array in NumPy's npy format"),
    "text that is no array": (b"0.1\n0.2\n0.3\n", "no array in NumPy's npy format"),
    "an archive": (b"PK\x03\x04" + bytes(100), "no array in NumPy's npy format"),
    "a cut file": (saved(np.zeros(3))[:-4], "has 20 bytes of numbers; its own header says 24"),
    "bytes after the end": (saved(np.zeros(3)) + b"x", "has 25 bytes of numbers"),
    "a header that promises more": (
        with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,)}"),
        "has shape",
    ),
    "a negative size": (with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (-3,)}"), "list of sizes"),
    "a header that is code": (with_header("__import__('os').getpid()"), "no array in NumPy's npy format"),
    "a header without end": (with_header("(" * 5000), "no array in NumPy's npy format"),
    "another version": (b"\x93NUMPY\x09\x00" + bytes(100), "no array in NumPy's npy format"),
}


@pytest.mark.parametrize("case", WRONG)
def test_anything_else_is_refused_in_one_sentence(case: str) -> None:
    content, says = WRONG[case]
    with pytest.raises(Unusable, match=says) as refusal:
        read_predictions(content, THREE)
    assert "\n" not in str(refusal.value)


def test_fractions_are_no_class_numbers() -> None:
    with pytest.raises(Unusable, match="no integers; expected integers of shape"):
        read_predictions(saved(np.array([0.0, 0.5, 1.0])), CLASSES)
