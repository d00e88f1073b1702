"""ONNX exports of the golden models, by the exporters, opsets and modes that people have files of.

The weights are those of tiny-*/model.safetensors, so an import must give PyTorch's gradients in tiny-*/*.safetensors.
"script" is the TorchScript exporter, as Optimum uses it; "dynamo" the torch.export one, which needs the package
onnxscript. "optimum" are files that Optimum itself writes. It accepts only older transformers, so they come from an
environment of their own: torch 2.15, onnx 1.23, onnxruntime 1.32 and, installed with pip install --no-deps,
optimum 2.1.0, optimum-onnx 0.1.0, transformers 4.57.6, tokenizers 0.22.2, huggingface-hub 0.36.0.

    python export_encoders.py [OUT]      # writes tiny-MODEL/NAME.onnx beside this file, or under OUT
    python export_encoders.py OUT all    # every combination
    python export_encoders.py optimum    # tiny-MODEL/optimum-*.onnx
    python export_encoders.py minilm DIR # minilm/*.onnx: graphs whose tensors lie in DIR/model.safetensors
"""
import itertools, json, os, shutil, sys, tempfile, warnings
import onnx, torch
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification

HERE = os.path.dirname(os.path.abspath(__file__))
EXPORTS = [  # model, what (encoder: last_hidden_state; classifier: logits), exporter, opset, attention, mode
    ("bert-1", "classifier", "script", 18, "sdpa", "eval"),
    ("bert-3", "encoder", "script", 15, "eager", "train"),
    ("bert-3", "classifier", "dynamo", 18, "sdpa", "eval"),
    ("roberta", "classifier", "script", 14, "sdpa", "eval"),
    ("roberta", "classifier", "dynamo", 20, "eager", "eval"),
    ("distilbert", "classifier", "script", 16, "eager", "eval"),
    ("distilbert", "classifier", "dynamo", 20, "sdpa", "eval"),
    ("electra", "classifier", "script", 17, "eager", "eval"),
    ("albert", "classifier", "script", 14, "sdpa", "eval"),
    ("mpnet", "classifier", "script", 17, "eager", "eval"),
    ("mpnet", "classifier", "dynamo", 18, "eager", "eval"),
]
MODELS = ["bert-1", "bert-3", "roberta", "distilbert", "electra", "albert", "mpnet", "deberta", "deberta-v2", "modernbert"]
SEGMENTS = {"bert", "electra", "albert", "deberta"}


class Plain(torch.nn.Module):
    """One tensor out, and parameters under the model's own names."""

    def __init__(self, model, inputs):
        super().__init__()
        for name, child in model.named_children():
            setattr(self, name, child)
        self.__dict__["model"], self.__dict__["inputs"] = model, inputs

    def forward(self, *tensors):
        return self.pick(self.model(**dict(zip(self.inputs, tensors))))

    @staticmethod
    def pick(out):
        return out.logits if hasattr(out, "logits") else out.last_hidden_state


def load(model, what, attention, mode):
    source = os.path.join(HERE, f"tiny-{model}")
    config = AutoConfig.from_pretrained(source)
    if mode == "train":  # the exporters leave a dropout of 0 away
        config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.1
    classifier = AutoModelForSequenceClassification.from_pretrained(source, config=config, attn_implementation=attention, dtype=torch.float32)
    whole = classifier if what == "classifier" else getattr(classifier, classifier.base_model_prefix)
    return whole.train(mode == "train"), config


def export(path, model, what, exporter, opset, attention, mode):
    whole, config = load(model, what, attention, mode)
    names = ["input_ids", "attention_mask"] + (["token_type_ids"] if model.split("-")[0] in SEGMENTS else [])
    ids = torch.randint(5, 50, (2, 7))
    example = (ids, torch.ones_like(ids), torch.zeros_like(ids))[: len(names)]
    output = "logits" if what == "classifier" else "last_hidden_state"
    options = dict(input_names=names, output_names=[output], opset_version=opset)
    if exporter == "script":
        axes = {n: {0: "batch_size", 1: "sequence_length"} for n in names} | {output: {0: "batch_size"} | ({} if what == "classifier" else {1: "sequence_length"})}
        options |= dict(dynamo=False, dynamic_axes=axes, do_constant_folding=mode != "train",
                        training=torch.onnx.TrainingMode.TRAINING if mode == "train" else torch.onnx.TrainingMode.EVAL)
    else:
        batch, tokens = torch.export.Dim("batch", min=1, max=64), torch.export.Dim("sequence", min=2, max=int(config.max_position_embeddings) - 8)
        options |= dict(dynamo=True, dynamic_shapes=[tuple({0: batch, 1: tokens} for _ in names)], external_data=False, optimize=True, verbose=False)
    torch.onnx.export(Plain(whole, names), example, path, **options)
    strip(path)


def strip(path):
    """Stack traces and the shapes between nodes, which are most of a small file and which no reader needs."""
    m = onnx.load(path)
    del m.graph.value_info[:]
    for n in list(m.graph.node) + list(m.graph.input) + list(m.graph.output) + list(m.graph.initializer) + [m.graph]:
        n.ClearField("doc_string")
        n.ClearField("metadata_props")
    onnx.save(m, path)


def export_minilm(source):
    """MiniLM by both exporters, with last_hidden_state and pooler_output. Constant folding and optimisation are off, so
    that every parameter is one of model.safetensors as it is; the file then holds the graph and where the tensors lie."""
    weights = os.path.join(source, "model.safetensors")
    with open(weights, "rb") as f:
        length = int.from_bytes(f.read(8), "little")
        header = json.loads(f.read(length))
    model = AutoModel.from_pretrained(source, attn_implementation="eager", dtype=torch.float32).eval()
    names, outputs = ["input_ids", "attention_mask", "token_type_ids"], ["last_hidden_state", "pooler_output"]
    ids = torch.randint(5, 50, (2, 7))
    example = (ids, torch.ones_like(ids), torch.zeros_like(ids))
    for exporter in ("script", "dynamo"):
        path = os.path.join(HERE, "minilm", f"{exporter}.onnx")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        options = dict(input_names=names, output_names=outputs, opset_version=14 if exporter == "script" else 18)
        if exporter == "script":
            axes = {n: {0: "batch_size", 1: "sequence_length"} for n in names}
            options |= dict(dynamo=False, dynamic_axes=axes, do_constant_folding=False)
        else:
            batch, tokens = torch.export.Dim("batch", min=1, max=64), torch.export.Dim("sequence", min=2, max=500)
            options |= dict(dynamo=True, dynamic_shapes=[tuple({0: batch, 1: tokens} for _ in names)], external_data=False, optimize=False, verbose=False)
        whole = Plain(model, names)
        whole.pick = lambda out: (out.last_hidden_state, out.pooler_output)
        torch.onnx.export(whole, example, path, **options)
        strip(path)
        m = onnx.load(path)
        for t in m.graph.initializer:
            data = onnx.numpy_helper.to_array(t)
            where = header.get(t.name)
            if where is None:
                if data.size > 600:
                    raise ValueError(f"{exporter}: {t.name} {data.shape} is none of the checkpoint's tensors")
                continue
            begin, end = where["data_offsets"]
            with open(weights, "rb") as f:
                f.seek(8 + length + begin)
                if f.read(end - begin) != data.tobytes():
                    raise ValueError(f"{exporter}: {t.name} differs from the checkpoint's")
            t.ClearField("raw_data")
            t.data_location = onnx.TensorProto.EXTERNAL
            for key, value in (("location", "model.safetensors"), ("offset", 8 + length + begin), ("length", end - begin)):
                t.external_data.add(key=key, value=str(value))
        with open(path, "wb") as f:
            f.write(m.SerializeToString(deterministic=True))
        print(os.path.getsize(path), path)


OPTIMUM = [("roberta", "feature-extraction", None), ("distilbert", "feature-extraction", "O1")]  # model, task, optimisation


def export_optimum():
    from optimum.exporters.onnx import main_export
    for model, task, level in OPTIMUM:
        source = os.path.join(HERE, f"tiny-{model}")
        path = os.path.join(source, "-".join(filter(None, ["optimum", task, level])) + ".onnx")
        with tempfile.TemporaryDirectory() as out:
            main_export(source, out, task=task, optimize=level)
            strip(os.path.join(out, "model.onnx"))
            shutil.copyfile(os.path.join(out, "model.onnx"), path)
        print(os.path.getsize(path), path)


def main():
    if sys.argv[1:] == ["optimum"]:
        return export_optimum()
    if sys.argv[1:2] == ["minilm"]:
        return export_minilm(sys.argv[2])
    out = sys.argv[1] if len(sys.argv) > 1 else HERE
    todo = EXPORTS
    if sys.argv[2:] == ["all"]:
        todo = list(itertools.product(MODELS, ("encoder", "classifier"), ("script",), (14, 17, 20), ("eager", "sdpa"), ("eval",)))
        todo += itertools.product(MODELS, ("encoder", "classifier"), ("dynamo",), (18, 20), ("eager", "sdpa"), ("eval",))
    for model, what, exporter, opset, attention, mode in todo:
        path = os.path.join(out, f"tiny-{model}", f"{what}-{exporter}-opset{opset}-{attention}-{mode}.onnx")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        try:
            export(path, model, what, exporter, opset, attention, mode)
            print(os.path.getsize(path), path)
        except Exception as e:
            print("FAILED", path, str(e).splitlines()[0][:200])


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main()
