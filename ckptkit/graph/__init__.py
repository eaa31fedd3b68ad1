"""What is derived from an architecture graph: shapes, the ONNX model, the torch module."""
