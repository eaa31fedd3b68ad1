"""ONNX files read strictly, by a walk through their protobuf: no library, no tensor bytes, nothing run.

`wire` knows protobuf's encoding, `messages` the fields of ONNX, `tensors` and `values` what a tensor holds,
`beside` the files that may hold its bytes, `graphs` the rest, `model` the whole.
"""

from ckptkit.storage.onnx.model import OnnxFile, is_onnx, is_onnx_file, open_onnx

__all__ = ["OnnxFile", "is_onnx", "is_onnx_file", "open_onnx"]
