"""The table of ONNX's element types is that of the library, and of what ckptkit writes."""

import onnx
import pytest
from onnx import TensorProto, helper

from ckptkit.layers import onnx_scope
from ckptkit.model.dtype import BY_NAME
from ckptkit.model.onnx_types import BY_NUMBER, ELEMENTS, NEWEST_IR, Element


def test_every_type_of_the_library_is_known() -> None:
    known = {element.name: element.number for element in ELEMENTS}
    assert {"UNDEFINED": 0} | known == dict(TensorProto.DataType.items())
    assert onnx.IR_VERSION <= NEWEST_IR


@pytest.mark.parametrize("element", ELEMENTS, ids=lambda element: element.name)
def test_each_is_stored_as_the_library_stores_it(element: Element) -> None:
    assert BY_NUMBER[element.number] is element
    assert helper.tensor_dtype_to_field(element.number) == element.field
    if element.dtype:
        assert helper.tensor_dtype_to_np_dtype(element.number).itemsize == BY_NAME[element.dtype].itemsize


def test_a_type_that_is_written_is_read_as_the_same() -> None:
    by_dtype = {element.dtype: element.name for element in ELEMENTS if element.dtype}
    assert onnx_scope.ELEMENTS.items() <= by_dtype.items()
    assert by_dtype.keys() == BY_NAME.keys()
