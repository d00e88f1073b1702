"""Writes the tokenizers and expectations in this directory.

    pip install tokenizers==0.23.3 transformers==5.23.0 sentencepiece==0.2.3 protobuf
    python generate.py

components.jsonl  normalizers and pre-tokenizers, each with texts and what
                  Hugging Face tokenizers makes of them
<variant>/        tokenizer.json, small and of our own words, in the manner of a
                  family of models, and golden.jsonl, what Hugging Face
                  tokenizers makes of texts with it
<family>/         a vocabulary without tokenizer.json, and golden.jsonl, what
                  transformers makes of texts with it
"""

import base64
import io
import json
import pathlib
import random
import shutil
import sys

import sentencepiece as spm
import tokenizers
import transformers
import transformers.convert_slow_tokenizer as convert
from tokenizers import Tokenizer, trainers
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Metaspace, Whitespace

assert tokenizers.__version__ == "0.23.3", tokenizers.__version__
assert transformers.__version__ == "5.23.0", transformers.__version__
assert spm.__version__ == "0.2.3", spm.__version__

here = pathlib.Path(__file__).parent
sys.path.insert(0, str(here.parent))
from charactermap import character_map  # noqa: E402

corpus = """The encoder drifts and the model collapses. Noise makes it robust: train with noise, not without!
Training, trained, trainer; the trainers' noise isn't noisy, they're noisier, we've seen 12 of 345.
R3F adds uniform noise to the embeddings; R4F bounds the head. 3.14 and 1,000 steps, (un)able or "able".
Das Rauschen der Straße über Köln, naïve cafés à la façade. Привет мир, шум и сеть. 東京の雑音、北京的噪声。
한국어 소음 잡음. ضوضاء في الشبكة. शोर और नेटवर्क. เสียงรบกวน""".split("\n")
odd = (
    "AÀÁÄÅÇÉÑÖØÜßİıſΣσςЙйЁёΆάẞﬁ½²ǅ①ª"
    "\u0301\u0327\u0308\u0323\u0345\u05b0\u0e31\u20dd\u302e\U0001d165\u1885\u3099"
    "\t\n\r\v\f\0\x1b\x7f\x85\xa0\xad\u200b\u200d\u2028\u202f\u3000\ufeff\ufffd\ue000\U000e0001\u2581"
    "東京豈\uf900\U00020000ー。、한각\u1100\u1161\u11a8ㄱกำไทย😀👩🏽\U0001fae8🇩🇪क्षतமி"
    "$+<=>^`|~_-–…†‰\u2e52٣४Ⅷ"
)
texts = [
    "", " ", "noise", " noise", "  noise  and  noise ", "The encoder drifts, the model collapses!", "they're noisy; we've 'seen' it's 12,345.6",
    "CAFÉ naïve Über STRASSE straße", "cafe\u0301 nai\u0308ve", "a<s>b</s> c [SEP]d[CLS] <mask>  <mask>. [MASK]e", "<unk><unk> <pad>[UNK]x",
    "東京の雑音、한국어 ضوضاء", "Noisily ``quoted'' noisily text\n\n\tand  tabs \r\n", "e\u0301" * 3 + " \u0301", "noise" * 30, "👩🏽‍🚀 🇩🇪🇫🇷 ½ ﬁne Ⅷ ①②",
    "a" + "\u0327\u0301\u0323" * 12 + "b", "   ", "▁noise ▁▁and▁", "<left> a <left>b<right>  c<both> <both>d",
]
draw = random.Random(7)
texts += ["".join(draw.choices(odd + "   " + "abeinort", k=draw.randint(1, 24))) for _ in range(24)]


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def cases(encode, least):
    """Every text once: alone or with another, whole or truncated."""
    for i, text in enumerate(texts):
        pair = draw.choice(texts) if i % 3 == 1 else None
        length = draw.randint(least, 16) if i % 2 else None
        ids, type_ids, whole = encode(text, pair, length)
        yield json.dumps({"text": text, "pair": pair, "max_length": length, "ids": ids, "type_ids": type_ids,
                          "attention_mask": [1] * len(ids), "truncated": len(ids) < whole})


def reference(hf):
    def encode(text, pair, length):
        hf.no_truncation()
        whole = hf.encode(text, pair)
        if length:
            hf.enable_truncation(length, strategy="longest_first")
        got = hf.encode(text, pair)
        return got.ids, got.type_ids, len(whole.ids)
    return encode


charmap = character_map({
    "ﬁ": "fi", "½": "1/2", "²": "2", "①": "1", "ª": "a", "Å": "Å", "A\u0301": "Á", "e\u0301": "é", "\t": " ", "\n": " ", "\r": " ",
    "\u00a0": " ", "\u3000": " ", "\u200b": " ", "\x00": "", "\x1b": "", "\x7f": "", "\u00ad": "", "Σ": "σ", "\u0345": "ι", "…": "...",
    "\u1100\u1161": "가", "豈": "豈", "で": "で", "\ufffd": " ", "𝅘𝅥": "note", "Ⅷ": "VIII",
})
encoded_map = base64.b64encode(charmap).decode()


def sequence(kind, *members):
    return {"type": "Sequence", {"n": "normalizers", "p": "pretokenizers", "o": "processors"}[kind]: list(members)}


precompiled = {"type": "Precompiled", "precompiled_charsmap": encoded_map}
white_split = {"type": "WhitespaceSplit"}


def metaspace(scheme="always", split=True):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split}


def strip(left, right):
    return {"type": "Strip", "strip_left": left, "strip_right": right}


def replace(content, **pattern):
    return {"type": "Replace", "pattern": pattern, "content": content}


def byte_level(prefix=False, regex=True):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}


def split(behavior, invert=False, **pattern):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


# The expression of Llama 3, with lookahead.
llama3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
behaviors = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
normalizer_configs = [
    {"type": "NFC"}, {"type": "NFD"}, {"type": "NFKC"}, {"type": "NFKD"}, {"type": "Lowercase"}, {"type": "StripAccents"}, {"type": "Nmt"},
    {"type": "ByteLevel"}, precompiled, strip(True, True), strip(False, True), strip(True, False), {"type": "Prepend", "prepend": "▁"},
    replace("_", String=" "), replace("", String="noise"), replace("x", String=""), replace(" ", Regex=" {2,}"), replace(" ", Regex=r"\s{2,}|[\n\r\t]"),
    replace("#", Regex=r"\d+|\p{Lu}"), replace("-", Regex=r"x*"), replace("^", Regex=r"^n|e$"), {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
    sequence("n"), sequence("n", {"type": "NFKD"}, {"type": "StripAccents"}, sequence("n", {"type": "Lowercase"}, strip(True, True))),
]
pre_tokenizer_configs = [
    {"type": "BertPreTokenizer"}, {"type": "Whitespace"}, white_split, {"type": "Digits", "individual_digits": True}, {"type": "Digits", "individual_digits": False},
    byte_level(), byte_level(True), byte_level(True, False), {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False},
    metaspace(), metaspace("never"), metaspace("first"), metaspace("first", False), metaspace("always", False),
    {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True}, {"type": "Metaspace", "replacement": "_", "str_rep": "_", "add_prefix_space": False, "prepend_scheme": "never"},
    {"type": "Punctuation"}, *[{"type": "Punctuation", "behavior": b} for b in behaviors],
    *[split(b, invert, String=" ") for b in behaviors for invert in (False, True)],
    *[split(b, invert, Regex=r"\w+|[^\w\s]+") for b in behaviors for invert in (False, True)],
    *[split(b, Regex=r"x*") for b in behaviors], split("Isolated", Regex=llama3), split("Isolated", String="noise"), split("Removed", String=""),
    sequence("p"), sequence("p", white_split, metaspace("first")), sequence("p", split("Isolated", Regex=llama3), byte_level(False, False)),
    sequence("p", {"type": "Whitespace"}, sequence("p", {"type": "Punctuation", "behavior": "Contiguous"}, {"type": "Digits", "individual_digits": True})),
]


def holder(**parts):
    base = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": None, "post_processor": None,
            "decoder": None, "model": {"type": "BPE", "vocab": {}, "merges": []}}
    return Tokenizer.from_str(json.dumps(base | parts))


lines = []
for config in normalizer_configs:
    n = holder(normalizer=config).normalizer
    lines.append(json.dumps({"normalizer": config, "outputs": [n.normalize_str(t) for t in texts]}))
for config in pre_tokenizer_configs:
    p = holder(pre_tokenizer=config).pre_tokenizer
    lines.append(json.dumps({"pre_tokenizer": config, "outputs": [[w for w, _ in p.pre_tokenize_str(t)] for t in texts]}))
write(here / "components.jsonl", [json.dumps({"texts": texts})] + lines)


def added(id, content, special=True, normalized=False, **how):
    return {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": normalized, "special": special} | how


def piece(kind, id, type_id=0):
    return {kind: {"id": id, "type_id": type_id}}


def template(first, last, ids, types=(0, 0), double=False):
    """A post-processor: first A last, and first A last (last) B last."""
    head = [piece("SpecialToken", first)] if first else []
    single = head + [piece("Sequence", "A"), piece("SpecialToken", last)]
    pair = single + [piece("SpecialToken", last)] * double + [piece("Sequence", "B", types[1]), piece("SpecialToken", last, types[1])]
    return {"type": "TemplateProcessing", "single": single, "pair": pair,
            "special_tokens": {t: {"id": t, "ids": [ids[t]], "tokens": [t]} for t in (first, last) if t}}


def learn(pre_tokenizer, specials, size=420, alphabet=(), **options):
    """A BPE model trained on the corpus."""
    t = Tokenizer(BPE(**options))
    t.pre_tokenizer = pre_tokenizer
    keep = {k: options[k] for k in ("continuing_subword_prefix", "end_of_word_suffix") if k in options}
    first = specials
    if keep:  # the trainer would number letters with affixes in the order of a random hash
        prefix, suffix = keep["continuing_subword_prefix"], keep["end_of_word_suffix"]
        words = {w for line in corpus for w, _ in pre_tokenizer.pre_tokenize_str(line)}
        first = specials + sorted({prefix * (i > 0) + c + suffix * (i + 1 == len(w)) for w in words for i, c in enumerate(w)})
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=first, initial_alphabet=list(alphabet), show_progress=False, **keep)
    t.train_from_iterator(corpus, trainer)
    return json.loads(t.to_str())["model"]


def grow(first, last=(), size=260):
    """A Unigram vocabulary: tokens of score 0, pieces of the corpus with made-up scores, tokens of score 0."""
    counts = {}
    for line in corpus:
        for word in line.split():
            word = "▁" + word
            for i in range(len(word)):
                for k in range(1, 9):
                    if i + k <= len(word):
                        counts[word[i:i + k]] = counts.get(word[i:i + k], 0) + k
    pieces = sorted(counts, key=lambda p: (len(p) > 1, -counts[p], p))[:size]
    pieces = [p for p in pieces if p not in first and p not in last]
    return [[t, 0.0] for t in first] + [[p, round(-3 - i / 40 - (i * 7 % 5) / 8, 3)] for i, p in enumerate(pieces)] + [[t, 0.0] for t in last]


def ids_of(vocab):
    return vocab if isinstance(vocab, dict) else {t: i for i, (t, _) in enumerate(vocab)}


def bytes_in(vocab):
    """A vocabulary with the 256 byte tokens behind it."""
    return vocab + [[f"<0x{b:02X}>", 0.0] for b in range(256)]


roberta = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
bert = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
stripping = [("<left>", dict(lstrip=True)), ("<right>", dict(rstrip=True)), ("<both>", dict(lstrip=True, rstrip=True, single_word=True))]
alphabet = sorted(ByteLevel.alphabet())


def variant(name, model, specials, normalizer, pre_tokenizer, post_processor, extra=(), merge_strings=False, least=4, **how):
    ids = ids_of(model["vocab"])
    tokens = [added(ids[t], t, **(how if t in ("<mask>", "[MASK]") else {})) for t in specials if t in ids]
    tokens += [added(len(ids) + i, t, special=False, **h) for i, (t, h) in enumerate(extra)]
    if merge_strings:
        model["merges"] = [" ".join(m) for m in model["merges"]]
    config = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens, "normalizer": normalizer,
              "pre_tokenizer": pre_tokenizer, "post_processor": post_processor(ids) if callable(post_processor) else post_processor, "decoder": None, "model": model}
    text = json.dumps(config, separators=(",", ":"))
    write(here / name / "tokenizer.json", [text])
    write(here / name / "golden.jsonl", cases(reference(Tokenizer.from_str(text)), least))


def unigram(vocab, unk, **options):
    return {"type": "Unigram", "unk_id": unk, "vocab": vocab} | options


def roberta_processing(ids):
    return {"type": "RobertaProcessing", "sep": ["</s>", ids["</s>"]], "cls": ["<s>", ids["<s>"]], "trim_offsets": True, "add_prefix_space": False}


bert_template = lambda ids: template("[CLS]", "[SEP]", ids, (0, 1))
bytes_bpe = lambda specials, **o: learn(ByteLevel(add_prefix_space=False), specials, alphabet=alphabet, **o)
variant("roberta", bytes_bpe(roberta), roberta, None, byte_level(), roberta_processing, merge_strings=True, normalized=True, lstrip=True)
variant("bytelevel-prefix", bytes_bpe(roberta), roberta, None, byte_level(True), lambda ids: sequence("o", byte_level(), template("<s>", "</s>", ids)), stripping)
variant("modernbert", bytes_bpe(bert), bert, {"type": "NFC"}, byte_level(), bert_template,
        [("|||IP|||", dict(normalized=True)), *[(" " * n, dict(normalized=True)) for n in (3, 2)]], lstrip=True)
variant("llama3", bytes_bpe([], size=400) | {"ignore_merges": True}, [], None, sequence("p", split("Isolated", Regex=llama3), byte_level(False, False)), byte_level(), least=1)
spaced = lambda specials, **o: learn(Metaspace(), specials, **o)
with_bytes = [f"<0x{b:02X}>" for b in range(256)]
variant("llama", spaced(["<unk>", "<s>", "</s>"] + with_bytes, size=600, unk_token="<unk>", fuse_unk=True, byte_fallback=True), ["<unk>", "<s>", "</s>"],
        sequence("n", {"type": "Prepend", "prepend": "▁"}, replace("▁", String=" ")), None, lambda ids: template("<s>", "</s>", ids), [("<left>", dict(lstrip=True, normalized=True))])
variant("llama-first", spaced(["<unk>", "<s>", "</s>"] + with_bytes, size=600, unk_token="<unk>", fuse_unk=True, byte_fallback=True), ["<unk>", "<s>", "</s>"],
        strip(True, False), metaspace("first", False), lambda ids: template("<s>", "</s>", ids))
variant("bpe-affixes", learn(Whitespace(), bert, size=300, unk_token="[UNK]", continuing_subword_prefix="##", end_of_word_suffix="</w>"), bert,
        {"type": "Lowercase"}, {"type": "Whitespace"}, {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]})
variant("bpe-fused", learn(Whitespace(), bert, size=200, unk_token="[UNK]", fuse_unk=True), bert, {"type": "NFKC"}, white_split, None, least=1)
variant("bpe-silent", learn(Whitespace(), bert, size=200), bert, None, sequence("p", white_split, {"type": "Digits", "individual_digits": True}), None, least=1)
cut = sequence("p", white_split, metaspace())
variant("xlm-roberta", unigram(grow(roberta[:4], ["<mask>"]), 3), roberta, precompiled, cut, lambda ids: template("<s>", "</s>", ids, double=True), lstrip=True)
t5 = ["<pad>", "</s>", "<unk>"]
variant("t5", unigram(grow(t5, ["<extra_id_1>", "<extra_id_0>"]), 2), t5, sequence("n", precompiled, strip(False, True), replace("▁", Regex=" {2,}")),
        {"type": "Metaspace", "replacement": "▁", "str_rep": "▁", "add_prefix_space": True}, lambda ids: template(None, "</s>", ids))
variant("albert", unigram(grow(["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]), 1), ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"],
        sequence("n", replace('"', String="``"), replace('"', String="''"), {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}, precompiled, replace(" ", Regex=" {2,}")),
        sequence("p", white_split, metaspace()), bert_template, lstrip=True)
variant("deberta-v3", unigram(grow(["[PAD]", "[CLS]", "[SEP]", "[UNK]"], ["[MASK]"]), 3), ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"],
        sequence("n", strip(True, True), precompiled, replace(" ", Regex=" {2,}")), sequence("p", metaspace()), bert_template, stripping)
variant("unigram-bytes", unigram(bytes_in(grow(["<unk>", "<s>", "</s>"])), 0, byte_fallback=True), ["<s>", "</s>"], {"type": "Nmt"}, metaspace("first", False),
        lambda ids: template("<s>", "</s>", ids, (0, 1)))
variant("unigram-whole", unigram(grow(["<unk>"]), 0), [], replace("▁", String=" "), None, sequence("o"), least=1)
words = [w for line in corpus for w in line.lower().split()]
characters = sorted(set("".join(words)))
wordpieces = dict.fromkeys(["<s>", "<pad>", "</s>", "[UNK]", "<mask>"] + words[:40] + [p + c for p in ("", "##") for c in characters])
variant("mpnet", {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": {t: i for i, t in enumerate(wordpieces)}},
        ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"], {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
        {"type": "BertPreTokenizer"}, roberta_processing, lstrip=True)

# Vocabularies without tokenizer.json.

pb = convert.import_protobuf()


def sentencepiece(vocab, kinds, model_type=1):
    m = pb.ModelProto()
    for token, score in vocab:
        m.pieces.add(piece=token, score=score, type=kinds.get(token, 1))
    m.trainer_spec.model_type = model_type
    m.normalizer_spec.name = "own"
    m.normalizer_spec.precompiled_charsmap = charmap
    return m.SerializeToString()


def family(name, files):
    directory = here / name
    shutil.rmtree(directory, ignore_errors=True)
    for file, content in files.items():
        path = directory / file
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else (content if isinstance(content, str) else json.dumps(content)).encode())
    tok = transformers.AutoTokenizer.from_pretrained(directory)
    write(directory / "golden.jsonl", cases(reference(tok.backend_tokenizer), 4))


listed = lambda tokens: "".join(t + "\n" for t in tokens)
wordpieces = dict.fromkeys(bert + sorted({w.strip('.,!:;"()') for line in corpus for w in line.split()}) + [p + c for p in ("", "##") for c in characters + list("ABCDEFGRTDКП")])
family("files-bert", {"vocab.txt": listed(wordpieces), "config.json": {"model_type": "bert"}})
family("files-bert-cased", {"vocab.txt": listed(wordpieces), "tokenizer_config.json": {
    "tokenizer_class": "BertTokenizer", "do_lower_case": False, "strip_accents": True, "tokenize_chinese_chars": False, "mask_token": {"__type": "AddedToken", "content": "[MASK]", "lstrip": True}},
    "special_tokens_map.json": {"pad_token": "[UNK]", "additional_special_tokens": ["<left>", "noise"]}, "added_tokens.json": {"<both>": len(wordpieces), "[X]": len(wordpieces) + 1}})
family("files-electra", {"vocab.txt": listed(wordpieces), "tokenizer_config.json": {"tokenizer_class": "ElectraTokenizer", "added_tokens_decoder": {
    str(len(wordpieces)): {"content": "Noisily", "single_word": True, "lstrip": False, "rstrip": True, "normalized": True, "special": False},
    "4": {"content": "[MASK]", "single_word": False, "lstrip": True, "rstrip": False, "normalized": False, "special": True}}}})
mpnet = ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"]
family("files-mpnet", {"vocab.txt": listed(mpnet + [t for t in wordpieces if t not in bert]), "config.json": {"model_type": "mpnet"}})
model = bytes_bpe(roberta)
merges = "#version: 0.2\n" + listed(" ".join(m) for m in model["merges"])
family("files-roberta", {"vocab.json": model["vocab"], "merges.txt": merges, "config.json": {"model_type": "roberta"}})
family("files-roberta-prefix", {"vocab.json": model["vocab"], "merges.txt": merges, "tokenizer_config.json": {"tokenizer_class": "RobertaTokenizerFast", "add_prefix_space": True},
                                "special_tokens_map.json": {"mask_token": {"content": "<mask>", "lstrip": True, "rstrip": False, "single_word": False, "normalized": True}}})
control = {"<s>": 3, "</s>": 3, "<pad>": 3, "<unk>": 2, "[PAD]": 3, "[CLS]": 3, "[SEP]": 3, "[UNK]": 2, "(": 4, "noise": 4}
family("files-xlm-roberta", {"sentencepiece.bpe.model": sentencepiece(grow(["<unk>", "<s>", "</s>"]), {k: control[k] for k in ("<s>", "</s>", "<unk>")}), "config.json": {"model_type": "xlm-roberta"}})
family("files-t5", {"spiece.model": sentencepiece(grow(t5), {k: v for k, v in control.items() if k != "("}), "tokenizer_config.json": {"tokenizer_class": "T5Tokenizer", "extra_ids": 3}})
family("files-albert", {"spiece.model": sentencepiece(grow(["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]", "(", "-"]), control | {"[MASK]": 4, "-": 4}), "config.json": {"model_type": "albert"}})
family("files-deberta-v2", {"spm.model": sentencepiece(grow(["[PAD]", "[CLS]", "[SEP]", "[UNK]"]), {k: v for k, v in control.items() if k != "noise"}), "config.json": {"model_type": "deberta-v2"}})
family("files-deberta-punct", {"spm.model": sentencepiece(grow(["[PAD]", "[CLS]", "[SEP]", "[UNK]"]), control),
                               "tokenizer_config.json": {"tokenizer_class": "DebertaV2Tokenizer", "do_lower_case": True, "split_by_punct": True, "add_prefix_space": False}})


# SentencePiece models of type BPE, trained on the corpus.

def bpe_pieces(size, characters=b"", **options):
    """A .model of type BPE. "<left>" and "noisy" are cut out of a text before the model sees it."""
    out = io.BytesIO()
    spm.SentencePieceTrainer.train(sentence_iterator=iter(corpus), model_writer=out, model_type="bpe", vocab_size=size, hard_vocab_limit=False, character_coverage=0.98,
                                   user_defined_symbols=["<left>", "noisy"], normalization_rule_name="identity", num_threads=1, minloglevel=2, **options)
    m = pb.ModelProto.FromString(out.getvalue())
    m.normalizer_spec.precompiled_charsmap = characters
    return m.SerializeToString()


plain = bpe_pieces(260, charmap)
in_bytes = bpe_pieces(420, byte_fallback=True, split_digits=True, remove_extra_whitespaces=False)
undivided = bpe_pieces(420, byte_fallback=True, add_dummy_prefix=False, split_by_whitespace=False)
family("files-llama", {"tokenizer.model": plain, "tokenizer_config.json": {"tokenizer_class": "LlamaTokenizer"}})
family("files-llama-bytes", {"tokenizer.model": in_bytes, "tokenizer_config.json": {
    "tokenizer_class": "LlamaTokenizerFast", "add_bos_token": True, "add_eos_token": True, "legacy": True, "pad_token": "</s>", "eos_token": "<left>"}})
family("files-llama-undivided", {"tokenizer.model": undivided, "tokenizer_config.json": {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_prefix_space": False}})
family("files-t5-bpe", {"spiece.model": plain, "tokenizer_config.json": {"tokenizer_class": "T5Tokenizer", "extra_ids": 2}})
family("files-xlm-roberta-bpe", {"sentencepiece.bpe.model": in_bytes, "config.json": {"model_type": "xlm-roberta"}})
family("files-deberta-bpe", {"spm.model": undivided, "config.json": {"model_type": "deberta-v2"}})
