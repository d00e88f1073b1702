"""Writes opset20.json: of every ai.onnx operator of opset 20 the opset that defines it and its operands' names, "?"
after an optional and "..." after a repeated one. Needs the package onnx; made with 1.23."""
import json
import pathlib

import onnx

OPSET = 20
MARK = {"Optional": "?", "Variadic": "..."}
names = sorted({s.name for s in onnx.defs.get_all_schemas_with_history() if s.domain == "" and s.since_version <= OPSET})
out = {}
for name in names:
    try:
        s = onnx.defs.get_schema(name, OPSET, "")
    except onnx.onnx_cpp2py_export.defs.SchemaError:
        continue
    if not s.deprecated:
        out[name] = {"since": s.since_version, "inputs": [i.name + MARK.get(i.option.name, "") for i in s.inputs]}
lines = ",\n".join(f" {json.dumps(n)}: {json.dumps(s)}" for n, s in out.items())
(pathlib.Path(__file__).parent / "opset20.json").write_text("{\n" + lines + "\n}\n")
