"""The artifacts in this directory: official ones, with free batch and token axes and dropout inside the training graph.

    python generate.py export    ../tiny-bert-3 OUT 0.1                                        # torch, transformers
    python generate.py artifacts OUT m.bert.embeddings.position_embeddings.weight              # onnxruntime-training-cpu==1.19.2,
                                                                                               # onnx==1.16.2, numpy<2, torch importable

`export` writes r3f-train.onnx: the tiny BERT with the R3F loss, opset 15, in training mode. `artifacts` turns it into the four
files with onnxruntime.training.artifacts, the tables named last frozen: their gradient would not be summed over the batch.
"""
import os, sys
import numpy as np

if sys.argv[1] == "export":
    import torch, torch.nn as nn, torch.nn.functional as F
    from safetensors.torch import load_file
    from transformers import BertForSequenceClassification
    golden, out = sys.argv[2:4]
    os.makedirs(out, exist_ok=True)
    m = BertForSequenceClassification.from_pretrained(golden, attn_implementation="eager").eval()
    p = float(sys.argv[4]) if len(sys.argv) > 4 else 0.0
    if p > 0:
        m.train()
        for mod in m.modules():
            if isinstance(mod, nn.Dropout): mod.p = p
    b = load_file(f"{golden}/batch.safetensors")

    class R3F(nn.Module):
        def __init__(s): super().__init__(); s.m = m
        def forward(s, input_ids, attention_mask, token_type_ids, noise, labels, lam):
            e = s.m.bert.embeddings.word_embeddings(input_ids)
            mask = torch.cat([attention_mask, attention_mask]).to(torch.float32)
            lo = s.m(inputs_embeds=torch.cat([e, e.detach() + noise]), attention_mask=mask, token_type_ids=torch.cat([token_type_ids, token_type_ids])).logits
            both = lo.reshape(2, -1, lo.shape[-1]); p, q = both[0], both[1]
            lp, lq = F.log_softmax(p, -1), F.log_softmax(q, -1)
            skl = ((lp.exp() - lq.exp()) * (lp - lq)).sum(-1).mean()
            return -(F.one_hot(labels, 3).to(torch.float32) * lp).sum(-1).mean() + lam * skl, p, q

    bt = {0: "B", 1: "T"}
    torch.onnx.export(R3F().train(p > 0), (b["input_ids"], b["attention_mask"], b["token_type_ids"], b["noise"], b["labels"], torch.tensor(0.7)), f"{out}/r3f-train.onnx",
                      input_names=["input_ids", "attention_mask", "token_type_ids", "noise", "labels", "lambda"], output_names=["loss", "logits", "noised"],
                      dynamic_axes={"input_ids": bt, "attention_mask": bt, "token_type_ids": bt, "noise": bt, "labels": {0: "B"}, "logits": {0: "B"}, "noised": {0: "B"}},
                      opset_version=15, dynamo=False, training=torch.onnx.TrainingMode.TRAINING if p > 0 else torch.onnx.TrainingMode.EVAL, do_constant_folding=p == 0)
else:
    import onnx
    from onnxruntime.training import artifacts
    out = sys.argv[2]
    frozen = sys.argv[3].split(",") if len(sys.argv) > 3 else []
    m = onnx.load(f"{out}/r3f-train.onnx")
    params = [i.name for i in m.graph.initializer if i.data_type == 1 and int(np.prod(i.dims)) > 1]
    artifacts.generate_artifacts(m, requires_grad=[p for p in params if p not in frozen], frozen_params=[p for p in params if p in frozen],
                                 optimizer=artifacts.OptimType.AdamW, artifact_directory=out)
    os.remove(f"{out}/r3f-train.onnx")
