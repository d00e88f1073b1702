"""PyTorch goldens of every model family: a tiny random model, a padded batch, logits, losses and all gradients.

The loss is that of r3f_reference.py with lambda 0.7. Noise enters where a hook finds the word embeddings, so that models
which derive positions from input_ids see the same ids as without noise. Computed in float64, written as float32.

dropout.safetensors is the plain loss with dropout 0.3 at every site, by masks that both sides can compute: the sites are
numbered from 0 in the order in which they run, and element i of site s is kept where ((7919*i + 104729*s) % 1009) % 10 >= 3.

names.json holds, by class, the tensors that the bare encoder and the pretrained models leave in a checkpoint.

    python families_reference.py [FAMILY ...]      # writes tiny-FAMILY/ beside this file; all families by default
"""
import json, os, sys, tempfile
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel, AutoModelForMaskedLM, AutoModelForPreTraining, AutoModelForSequenceClassification

LABELS, LAMBDA, DROPOUT, BATCH = 3, 0.7, 0.3, 4
SIZES = dict(vocab_size=64, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
             max_position_embeddings=26, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
FAMILIES = {  # model_type: what its configuration has besides or instead of SIZES; None takes a key away; tokens (20) and std (0.3) are ours
    "bert": {},
    "roberta": dict(type_vocab_size=1, pad_token_id=1, layer_norm_eps=1e-5),
    "xlm-roberta": dict(type_vocab_size=1, pad_token_id=1, layer_norm_eps=1e-5, hidden_act="silu"),
    "distilbert": dict(dropout=0.0, attention_dropout=0.0, seq_classif_dropout=0.0, dim=16, n_layers=2, n_heads=2, hidden_dim=24,
                       **dict.fromkeys(["hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
                                        "hidden_dropout_prob", "attention_probs_dropout_prob"])),
    "electra": dict(embedding_size=8),
    "albert": dict(embedding_size=8, num_hidden_layers=3, num_hidden_groups=2, inner_group_num=2, classifier_dropout_prob=0.0, std=0.2),
    "mpnet": dict(pad_token_id=1, relative_attention_num_buckets=32, max_position_embeddings=150, tokens=140),  # beyond the last bucket
}
SEGMENTS = {"bert", "electra", "albert"}  # those that read token_type_ids


def symmetric_kl(a, b):
    la, lb = F.log_softmax(a, -1), F.log_softmax(b, -1)
    return ((la.exp() - lb.exp()) * (la - lb)).sum() / a.shape[0]


def model_of(family):
    keys = {k: v for k, v in (SIZES | FAMILIES[family]).items() if v is not None and k not in ("tokens", "std")}
    config = AutoConfig.for_model(family, num_labels=LABELS, **keys)
    model = AutoModelForSequenceClassification.from_config(config, attn_implementation="eager").eval()
    for name, p in model.named_parameters():  # larger than the usual .02, so that no gradient is tiny
        norm = "norm" in name.lower() and name.endswith("weight")
        torch.nn.init.normal_(p, 1.0 if norm else 0.0, FAMILIES[family].get("std", 0.3))
    return model


def names_of(config):
    """{class: {tensor: shape}} of the checkpoints that save_pretrained writes."""
    out = {}
    for auto in (AutoModel, AutoModelForMaskedLM, AutoModelForPreTraining):
        if type(config) in auto._model_mapping:
            model = auto.from_config(config)
            with tempfile.TemporaryDirectory() as d:
                model.save_pretrained(d)
                out[type(model).__name__] = {n: list(t.shape) for n, t in sorted(load_file(f"{d}/model.safetensors").items())}
    return out


def batch_of(config, family, width):
    tokens = FAMILIES[family].get("tokens", 20)
    ids = torch.randint(5, config.vocab_size, (BATCH, tokens))
    mask = torch.ones(BATCH, tokens, dtype=torch.long)
    for row, length in ((1, 13), (3, 5)):
        mask[row, length:] = 0
        ids[row, length:] = config.pad_token_id
    batch = {"input_ids": ids, "attention_mask": mask}
    if family in SEGMENTS:
        batch["token_type_ids"] = (torch.arange(tokens)[None] > 8).long().repeat(BATCH, 1) * mask
    noise = torch.empty(BATCH, tokens, width).uniform_(-1.0, 1.0)
    return batch, noise, torch.randint(0, LABELS, (BATCH,))


def logits_of(model, batch, noise):
    """Logits of the batch, or of the batch and its noised copy as one doubled batch."""
    if noise is None:
        return model(**batch).logits

    def add_noise(module, inputs, e):
        return torch.cat([e[:BATCH], e[BATCH:].detach() + noise])

    hook = model.get_input_embeddings().register_forward_hook(add_noise)
    logits = model(**{k: v.repeat(2, 1) for k, v in batch.items()}).logits
    hook.remove()
    return logits


class Masks:
    """Puts a model in training mode and takes the place of torch.nn.functional.dropout in it."""

    def __init__(self, model, on):
        self.model, self.on, self.sites = model, on, 0

    def __enter__(self):
        self.usual, torch.nn.functional.dropout = torch.nn.functional.dropout, self.apply
        self.model.train(self.on)
        for m in self.model.modules():
            if isinstance(m, torch.nn.Dropout):
                m.p = DROPOUT
        return self

    def __exit__(self, *_):
        torch.nn.functional.dropout = self.usual
        self.model.eval()

    def apply(self, x, p=0.5, training=True, inplace=False):
        if not training or p == 0:
            return x
        keep = ((7919 * torch.arange(x.numel()) + 104729 * self.sites) % 1009) % 10 >= 3
        self.sites += 1
        return x * keep.reshape(x.shape) / (1 - p)


def write(family, out):
    torch.manual_seed(0)
    model = model_of(family)
    model.save_pretrained(out)
    with open(f"{out}/names.json", "w") as f:
        json.dump(names_of(model.config), f, separators=(",", ":"))
        f.write("\n")
    torch.manual_seed(1)
    model = model.double()
    batch, noise, y = batch_of(model.config, family, model.get_input_embeddings().weight.shape[1])
    save_file(batch | {"labels": y, "noise": noise}, f"{out}/batch.safetensors")
    for method in ("standard", "r3f", "dropout"):
        model.zero_grad(set_to_none=True)
        with Masks(model, method == "dropout") as masks:
            logits = logits_of(model, batch, noise.double() if method == "r3f" else None)
        a, b = logits[:BATCH], logits[-BATCH:]
        r3f = symmetric_kl(a, b)
        loss = F.cross_entropy(a, y) + LAMBDA * r3f
        loss.backward()
        tensors = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
        tensors |= {"loss": loss.detach()[None], "r3f": r3f.detach()[None], "logits": a.detach(), "noised": b.detach().clone()}
        save_file({n: t.float().contiguous() for n, t in tensors.items()}, f"{out}/{method}.safetensors")
        print(family, method, loss.item(), r3f.item(), masks.sites)


if __name__ == "__main__":
    for family in sys.argv[1:] or FAMILIES:
        write(family, os.path.join(os.path.dirname(os.path.abspath(__file__)), f"tiny-{family}"))
