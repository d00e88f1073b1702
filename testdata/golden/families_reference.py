"""PyTorch goldens of every model family: a tiny random model, a padded batch, logits, losses and all gradients.

The loss is that of r3f_reference.py with lambda 0.7. Noise enters where a hook finds the word embeddings, so that models
which derive positions from input_ids see the same ids as without noise. Computed in float64 where the model can, written as float32.

dropout.safetensors is R3F with dropout 0.3 at every site, by masks that both sides can compute: the sites are
numbered from 0 in the order in which they run, and element i of site s is kept where ((7919*i + 104729*s) % 1009) % 10 >= 3.

buckets.json holds the buckets of the distances 0, 1, 2, ... that DeBERTa makes of position_buckets and max_relative_positions.
names.json holds, by class, the tensors that the bare encoder and the pretrained models leave in a checkpoint.

    python families_reference.py [FAMILY ...]      # writes tiny-FAMILY/ beside this file; all families by default
"""
import json, os, sys, tempfile
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel, AutoModelForMaskedLM, AutoModelForPreTraining, AutoModelForSequenceClassification
from transformers.models.deberta_v2.modeling_deberta_v2 import make_log_bucket_position

LABELS, LAMBDA, DROPOUT, BATCH = 3, 0.7, 0.3, 4
SIZES = dict(vocab_size=64, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
             max_position_embeddings=26, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
DEBERTA = dict(model_type="deberta-v2", type_vocab_size=0, relative_attention=True, pooler_dropout=0.1)
MODERN = dict(model_type="modernbert", pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2, local_attention=6,
              hidden_dropout_prob=None, attention_probs_dropout_prob=None, attention_dropout=0.3, precision=torch.float32)  # always computed in it
FAMILIES = {  # model_type, or a name with one: what its configuration has besides or instead of SIZES; None takes a key away; tokens (20), std (0.3) and precision are ours
    "bert": {},
    "roberta": dict(type_vocab_size=1, pad_token_id=1, layer_norm_eps=1e-5),
    "xlm-roberta": dict(type_vocab_size=1, pad_token_id=1, layer_norm_eps=1e-5, hidden_act="silu"),
    "distilbert": dict(dropout=0.0, attention_dropout=0.0, seq_classif_dropout=0.0, dim=16, n_layers=2, n_heads=2, hidden_dim=24,
                       **dict.fromkeys(["hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
                                        "hidden_dropout_prob", "attention_probs_dropout_prob"])),
    "electra": dict(embedding_size=8),
    "albert": dict(embedding_size=8, num_hidden_layers=3, num_hidden_groups=2, inner_group_num=2, classifier_dropout_prob=0.0, std=0.2),
    "mpnet": dict(pad_token_id=1, relative_attention_num_buckets=32, max_position_embeddings=110, tokens=100),  # beyond the last bucket
    # as DeBERTa-v3: buckets, one embedding of distances for all layers, projections shared with the content
    "deberta-v3": dict(DEBERTA, position_biased_input=False, position_buckets=8, share_att_key=True, norm_rel_ebd="layer_norm",
                       pos_att_type="p2c|c2p"),
    # as DeBERTa-v2-xlarge: with a convolution beside the first layer
    "deberta-conv": dict(DEBERTA, position_biased_input=False, position_buckets=8, share_att_key=True, norm_rel_ebd="layer_norm",
                         pos_att_type=["p2c", "c2p"], conv_kernel_size=3, conv_act="gelu"),
    "deberta-c2p": dict(DEBERTA, type_vocab_size=2, max_relative_positions=6, pos_att_type="c2p", embedding_size=8,
                        pooler_hidden_act="tanh", layer_norm_eps=1e-5),
    "deberta-p2c": dict(DEBERTA, pos_att_type="p2c"),
    "deberta-absolute": dict(DEBERTA, type_vocab_size=2, relative_attention=False, pos_att_type="c2p"),
    "modernbert": dict(MODERN, num_hidden_layers=4),
    "modernbert-mean": dict(MODERN, num_hidden_layers=2, layer_types=["sliding_attention", "full_attention"], classifier_pooling="mean",
                            attention_bias=True, mlp_bias=True, norm_bias=True, classifier_bias=True, hidden_activation="silu",
                            classifier_activation="relu", rope_parameters={"full_attention": {"rope_type": "default", "rope_theta": 50.0},
                                                                           "sliding_attention": {"rope_type": "default", "rope_theta": 20.0}}),
}
SEGMENTS = {"bert", "electra", "albert", "deberta-c2p", "deberta-absolute"}  # those that read token_type_ids


def symmetric_kl(a, b):
    la, lb = F.log_softmax(a, -1), F.log_softmax(b, -1)
    return ((la.exp() - lb.exp()) * (la - lb)).sum() / a.shape[0]


def model_of(family):
    keys = {k: v for k, v in (SIZES | FAMILIES[family]).items() if v is not None and k not in ("tokens", "std", "precision")}
    config = AutoConfig.for_model(keys.pop("model_type", family), num_labels=LABELS, **keys)
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


def buckets_of(buckets, positions):
    distances = make_log_bucket_position(torch.arange(positions + 9), buckets, positions)
    return dict(position_buckets=buckets, max_relative_positions=positions, buckets=distances.long().tolist())


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
    if family == "deberta-v3":
        with open(f"{out}/buckets.json", "w") as f:
            json.dump([buckets_of(*sizes) for sizes in ((8, 26), (9, 26), (2, 20), (32, 512), (256, 512))], f)
            f.write("\n")
    torch.manual_seed(1)
    precision = FAMILIES[family].get("precision", torch.float64)
    model = model.to(precision)
    batch, noise, y = batch_of(model.config, family, model.get_input_embeddings().weight.shape[1])
    save_file(batch | {"labels": y, "noise": noise}, f"{out}/batch.safetensors")
    for method in ("standard", "r3f", "dropout"):
        model.zero_grad(set_to_none=True)
        with Masks(model, method == "dropout") as masks:
            logits = logits_of(model, batch, None if method == "standard" else noise.to(precision))
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
