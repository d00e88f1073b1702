"""Writes the tokenizers and expectations in this directory.

    pip install tokenizers==0.23.3
    python generate.py

For every variant below: <variant>/tokenizer.json, small and made of our own
words, and <variant>/golden.jsonl, what Hugging Face tokenizers makes of the
texts below with it. And for all variants:

    unicode.json     CRC-32 of what normalizers and pre-tokenizers make of texts
                     with every code point, by blocks of 4096
    clusters.map     the character map of its column "clusters"
    truncation.json  tokens kept of pairs of 0 to 9 tokens, for budgets 0 to 13
"""

import itertools
import json
import pathlib
import random
import unicodedata
import zlib

from charactermap import character_map
from tokenizers import Regex, Tokenizer, __version__, normalizers, pre_tokenizers

assert __version__ == "0.23.3", __version__
here = pathlib.Path(__file__).parent
specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
words = """noise train ##ing ##ed encoder ##s the a model drift ##less collapse cafe café naive naïve über uber
straße i ı 東京 東 京 ##京 한국 , . ! ? ' " - — « » ( ) # ##ble un able noisy ##y 2 3 ##3f r r3f yesterday""".split()
odd = (
    "AÀÁÄÅÇÉÑÖØÜßİıſΣσςЙйЁёΆάẞﬁ½²ǅ"  # cases and compositions
    "\u0301\u0327\u0308\u0323\u0345\u034f\u05b0\u0e31\u20dd"  # marks, stripped or not
    "\u302e\u302f\U0001d165\U0001d16d\U0001d15e\u1b44\u08d4\u1ab0\u1df6\u0c3c\u1885\ua9bd\u1734\U000111c9"
    "\t\n\r\v\f\0\x1b\x7f\x85\xa0\xad\u200b\u200d\u2028\u202f\u3000\ufeff\ufffd\u08e2\ue000\U000e0001"
    "東京豈\uf900\U00020000\U0002b820\U0002b920ー。、한각\u1100\u1161ㄱคำไทย😀👩\U0001fae8\U00010d50\ua7dc\u1c89"
    "$+<=>^`|~_-–…†‰⁂\u166d\u2e43\u2e52"
)
texts = [
    "", " ", "noise", "The encoder drifts, the model collapses!", "Untrainable — noisy; NOISE?", "CAFÉ naïve Über STRASSE straße",
    "cafe\u0301 nai\u0308ve", "a[SEP]b", "[CLS] noise [SEP] drift [MASK][MASK]. [sep] [ SEP ]", "[SEP][PAD]", "[[SEP]]x",
    "R3F noise and r3f NOISE and r3f  noise", "token tokens untoken token-token (token) tokén\u0301 token", "a <left> b <left>c <right> d<right>\t e<both>  <both>f",
    "noise 東京 train東京ing 한국", "noisenoisenoisenoise driftless", "x" * 13, "x" * 12, "yesterday, Yesterday", "\u0301", "\u0301\u0301 a", "İstanbul Ễ 각 ①", "the model drifts and the encoder collapses",
    "a" + "\u0301" * 40 + "\u302e" * 3 + "\U0001d165" * 3 + "\u0327b", "a" + "\u302e\U0001d165" * 40 + "b", "a\u0e31\u302e\U0001d165b\u302e\u0e31\U0001d165",
]
draw = random.Random(1)
texts += ["".join(draw.choices(odd + "  " + "abint", k=draw.randint(1, 24))) for _ in range(40)]
texts += [" ".join(draw.choices(words + specials, k=draw.randint(3, 14))).replace(" ##", "") for _ in range(20)]


def added(id, content, special=True, normalized=False, **how):
    return {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": normalized, "special": special} | how


def bert(**options):
    return {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True} | options


def piece(kind, id, type_id):
    return {kind: {"id": id, "type_id": type_id}}


template = {
    "type": "TemplateProcessing",
    "single": [piece("SpecialToken", "[CLS]", 0), piece("Sequence", "A", 0), piece("SpecialToken", "[SEP]", 0)],
    "pair": [piece("SpecialToken", "[CLS]", 0), piece("Sequence", "A", 0), piece("SpecialToken", "[SEP]", 0),
             piece("Sequence", "B", 1), piece("SpecialToken", "[SEP]", 1)],
    "special_tokens": {t: {"id": t, "ids": [specials.index(t)], "tokens": [t]} for t in ("[CLS]", "[SEP]")},
}


def tokenizer(prefix="##", max_chars=100, typed=True, extra=(), truncation=None, padding=None,
              normalizer=bert(), pre_tokenizer={"type": "BertPreTokenizer"}, post_processor=template):
    """A tokenizer.json. Every character of the texts, composed or not, is in the vocabulary, so that [UNK] hides nothing."""
    characters = set()
    for text in texts:
        for form in (text, text.lower(), unicodedata.normalize("NFD", text), unicodedata.normalize("NFD", text).lower()):
            characters.update(form)
    tokens = dict.fromkeys(specials + [w.replace("##", prefix) for w in words])
    tokens |= dict.fromkeys(p + c for c in sorted(characters) for p in ("", prefix))
    extra = [added(len(tokens) + i, **token) for i, token in enumerate(extra)]
    model = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": prefix, "max_input_chars_per_word": max_chars,
             "vocab": {token: i for i, token in enumerate(tokens)}}
    if not typed:
        del model["type"]
    return {"version": "1.0", "truncation": truncation, "padding": padding,
            "added_tokens": [added(i, t) for i, t in enumerate(specials)] + extra,
            "normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "post_processor": post_processor, "decoder": None, "model": model}


stripping = [dict(content="<left>", lstrip=True), dict(content="<right>", rstrip=True), dict(content="<both>", lstrip=True, rstrip=True),
             dict(content="<left"), dict(content="[[SEP]")]
variants = {
    # As MiniLM's file: sections for truncation and padding, accents following lowercase.
    "uncased": tokenizer(
        truncation={"max_length": 6, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
        padding={"strategy": {"Fixed": 6}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}),
    # As bert-base-uncased's file: the model has no type. Cased, another prefix, added tokens of all kinds.
    "cased": tokenizer(
        prefix="@@", max_chars=12, typed=False, normalizer=bert(lowercase=False),
        post_processor={"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        extra=[dict(content="token", special=False, single_word=True), *stripping]),
    "accents": tokenizer(normalizer=bert(strip_accents=False), extra=[dict(content="R3F Noise", special=False, normalized=True),
                                                                     dict(content="Tokén", special=False, normalized=True, single_word=True)]),
    "stripped": tokenizer(normalizer=bert(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False), post_processor=None),
    "bare": tokenizer(normalizer=None, pre_tokenizer=None, max_chars=30, extra=stripping),
}


def write(path, lines):
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines))


for name, config in variants.items():
    write(here / name / "tokenizer.json", [json.dumps(config, separators=(",", ":"))])
    hf = Tokenizer.from_str(json.dumps(config))
    hf.no_padding()
    least = 3 if config["post_processor"] else 1
    cases = []
    for i, text in enumerate(texts):
        for pair in (None, draw.choice(texts)):
            for length in (None, draw.randint(least, 16)):
                if (i + (pair is None) + (length is None)) % 2:
                    continue  # two of the four suffice
                hf.no_truncation()
                whole = hf.encode(text, pair)
                if length:
                    hf.enable_truncation(length, strategy="longest_first")
                got = hf.encode(text, pair)
                cases.append(json.dumps({"text": text, "pair": pair, "max_length": length, "ids": got.ids, "type_ids": got.type_ids,
                                         "attention_mask": got.attention_mask, "truncated": len(got.ids) < len(whole.ids)}))
    write(here / name / "golden.jsonl", cases)

off = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
only = lambda option: normalizers.BertNormalizer(**(off | {option: True})).normalize_str
words_of = lambda p: lambda text: " ".join(word for word, _ in p.pre_tokenize_str(text))
isolated = lambda pattern: words_of(pre_tokenizers.Split(Regex(pattern), "isolated"))
formed = {form: getattr(normalizers, form.upper())().normalize_str for form in ("nfc", "nfd", "nfkc", "nfkd")}
marks, lower, nmt = (n().normalize_str for n in (normalizers.StripAccents, normalizers.Lowercase, normalizers.Nmt))
strip = normalizers.Strip().normalize_str
# A SentencePiece character map that writes "o" for "º" and "A" for "a", to see grapheme clusters by.
(here / "clusters.map").write_bytes(character_map({"º": "o", "a": "A"}))
clusters = normalizers.Precompiled((here / "clusters.map").read_bytes()).normalize_str
columns = {
    "clean_text": (only("clean_text"), "a{}b"),
    "handle_chinese_chars": (only("handle_chinese_chars"), "a{}b"),
    "strip_accents": (only("strip_accents"), "a{}b"),
    "lowercase": (only("lowercase"), "a{}b"),
    "order": (only("strip_accents"), "a\u302e{}\U0001d165b"),
    "words": (words_of(pre_tokenizers.BertPreTokenizer()), "a{}b"),
    **{form: (f, "a{}\u0301\u0323{}b") for form, f in formed.items()},
    "marks": (marks, "a{}b"),
    "lower": (lower, "a{}b"),
    "nmt": (nmt, "a{}b"),
    "strip": (strip, "{}a{}"),
    "byte_level": (words_of(pre_tokenizers.ByteLevel(add_prefix_space=False)), "a{}1{}! {}"),
    "whitespace": (words_of(pre_tokenizers.Whitespace()), "a{}!"),
    "white_split": (words_of(pre_tokenizers.WhitespaceSplit()), "a{}b"),
    "digits": (words_of(pre_tokenizers.Digits(individual_digits=False)), "a{}1"),
    "punctuation": (words_of(pre_tokenizers.Punctuation("contiguous")), "a{}!"),
    "expression": (isolated(r"\w+|[^\w\s]+|\s+"), "a{}!"),
    "classes": (isolated(r"\d+|\p{L}+|[\w]+|\W+"), "a{}1!{}_"),
    "clusters": (clusters, "º{}a{}\u0301"),
}
blocks = [[chr(c) for c in range(start, start + 4096) if not 0xD800 <= c <= 0xDFFF] for start in [*range(0, 0x34000, 4096), 0xE0000, 0x10F000]]
table = {name: {"text": text, "crc": ["%08x" % zlib.crc32(f("".join(text.replace("{}", c) for c in block)).encode()) for block in blocks]} for name, (f, text) in columns.items()}
write(here / "unicode.json", [json.dumps(table, indent=0)])

hf = Tokenizer.from_str(json.dumps(variants["stripped"]))
rows = []
for n1, n2, budget in itertools.product(range(10), range(10), range(14)):
    hf.enable_truncation(budget, strategy="longest_first")
    kept = hf.encode("a " * n1, "i " * n2).type_ids
    rows.append([n1, n2, budget, kept.count(0), kept.count(1)])
write(here / "truncation.json", [json.dumps(rows, separators=(",", ":"))])
