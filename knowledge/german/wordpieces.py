"""The German vocabulary: lower-cased WordPiece (Schuster & Nakajima 2012), trained on German text.

Umlauts and ß are spelled out (ae, oe, ue, ss) before anything is counted, so "Kündigung", "Kuendigung" and
"KÜNDIGUNG", "Straße" and "Strasse" are the same pieces: people without a German keyboard, and all of
Switzerland, need no variant in the training data.
"""

import string
from collections.abc import Iterable
from itertools import chain

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

VOCABULARY_SIZE = 32_000
_UNKNOWN = "[UNK]"
SPECIAL_TOKENS = ("[PAD]", _UNKNOWN, "[CLS]", "[SEP]", "[MASK]")
FRAME = ("[CLS]", "[SEP]")  # of every text
CONTINUATION = "##"
_LETTERS = 500  # of all scripts; the rarest of what documentation holds stay unknown
_SPELLED_OUT = (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss"))
# "Kund*innen", "Kund:innen" and "Kund/-innen" and, lower-cased, "KundInnen" are "kundinnen".
_GENDER_SIGN = Regex(r"(?<=\p{L}\p{L})(?:(?:[*:_·]|/-)(?=in(?:nen)?(?!\p{L}))|/(?=innen(?!\p{L})))")
_INVISIBLE = Regex("[\u00ad\u200b-\u200d\u2060\ufeff]")  # soft hyphens split words that readers see whole


def new_tokenizer() -> Tokenizer:
    """A tokenizer with this project's normalisation and no vocabulary yet."""
    tokenizer = Tokenizer(models.WordPiece(unk_token=_UNKNOWN, continuing_subword_prefix=CONTINUATION))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.Replace(_INVISIBLE, ""),
            normalizers.Lowercase(),
            normalizers.Replace(_GENDER_SIGN, ""),
            *(normalizers.Replace(letter, spelled) for letter, spelled in _SPELLED_OUT),
            # What accents are left belong to loan words: "Café" is asked for as "Cafe".
            normalizers.BertNormalizer(strip_accents=True, lowercase=True),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix=CONTINUATION)
    return tokenizer


def train_tokenizer(texts: Iterable[str], *, size: int = VOCABULARY_SIZE) -> Tokenizer:
    """Learn `size` pieces from the texts."""
    tokenizer = new_tokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=[*string.ascii_lowercase, *string.digits, *string.punctuation],
        limit_alphabet=_LETTERS,
        continuing_subword_prefix=CONTINUATION,
        show_progress=False,
    )
    tokenizer.train_from_iterator(chain(texts), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in FRAME],
    )
    return tokenizer
