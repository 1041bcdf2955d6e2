"""Prompts: words become tokens, tokens an embedding, and embeddings are compared.

    python -m recon.stable_diffusion.text "a tiger" "a cat" "an elephant"

Stable Diffusion 1.x reads its prompt through the text half of CLIP (Radford et al., 2021,
https://arxiv.org/abs/2103.00020): byte-pair tokens, one start before them, one end after them, and
the end again up to 77. The small model has a word for every token instead.
"""

import gzip
import io
import re
import sys
import zlib
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np
from rich.table import Table
from rich.text import Text

from recon import commandline
from recon.data import safari
from recon.errors import BadInput

UNCONDITIONAL = ""  # the prompt of guidance's other half, and of training without a prompt
ORIGIN = "bpe_simple_vocab_16e6.txt.gz of https://github.com/openai/CLIP"
SHIPPED = Path(__file__).with_name("small.safetensors")  # the small model's trained weights

# The small model's words, in the order of its embedding's rows: new ones go to the end.
SMALL_WORDS = (
    "a", "an", "of", "no", "the",
    "cat", "dog", "elephant", "tiger", "animal",
    "cats", "dogs", "elephants", "tigers", "animals",
    "drawing", "picture", "photo", "painting", "image",
    "text", "natural", "looking", "seamless",
)  # fmt: skip
TEMPLATES = (
    "{animal}",
    "{animals}",
    "{a} {animal}",
    "the {animal}",
    "a drawing of {a} {animal}",
    "a picture of {a} {animal}",
    "a photo of {a} {animal}",
    "a painting of {a} {animal}",
    "an image of {a} {animal}",
    "a drawing of {animals}",
    "natural looking {animal}, no text",
    "natural looking seamless image of {a} {animal}, no text",
)
ANYTHING = "natural looking seamless image, no text"  # true of every photo


def warn(message: str) -> None:
    """Say what may surprise, in one line on standard error; the work goes on."""
    print(f"warning: {message}", file=sys.stderr)


# Tokenizers ---------------------------------------------------------------------------------


class Tokenizer(Protocol):
    """What a text encoder's prompts go through."""

    start: int  # id before every prompt
    end: int  # id after it, and of the padding
    vocabulary: int  # ids are below this

    def encode(self, text: str) -> list[int]:
        """The ids of a text, without start and end; any text has some, or none."""

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids, lower-cased, with one space where there were more."""

    def rest(self, text: str, count: int) -> str:
        """What of a text comes after its first `count` tokens."""


def read_merges(path: str | Path, count: int) -> list[str]:
    """Read CLIP's merges, such as "t h", the most frequent first.

    Args:
        path: OpenAI's bpe_simple_vocab_16e6.txt.gz or the merges.txt of diffusers' `tokenizer`
            folder: the same merges under another first line. Compressed or not.
        count: how many are wanted; what follows them is not read.

    Raises:
        BadInput: no such file, another kind of file, or one that ends early.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(
            f"{path}: no such file; CLIP's vocabulary is {ORIGIN}, or merges.txt in the tokenizer "
            "folder of a diffusers model"
        )
    raw = path.read_bytes()
    try:
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8")
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise BadInput(
            f"{path}: {len(raw):,} bytes of a compressed file that ends early or is damaged; "
            f"download it again: {ORIGIN}"
        ) from None
    except UnicodeDecodeError:
        text = ""  # it has no first line either
    first, *lines = text.split("\n")
    if "#version" not in first:
        raise BadInput(
            f"{path}: not CLIP's vocabulary, whose first line has #version; it is {ORIGIN}"
        )
    merges = [" ".join(line.split()) for line in lines[:count]]
    while merges and not merges[-1]:  # the last line's own end
        merges.pop()
    for number, merge in enumerate(merges, 2):
        if merge.count(" ") != 1:
            raise BadInput(f"{path}: line {number}, {merge[:40]!r}, is not two pieces of a word")
    if len(merges) < count:
        raise BadInput(
            f"{path}: holds {len(merges):,} merges of {count:,}: it ends early; download it "
            f"again: {ORIGIN}"
        )
    return merges


class ClipTokenizer:
    """CLIP's byte-pair encoding (KerasCV's SimpleTokenizer) on a vocabulary file.

    Args:
        vocabulary_file: as in `read_merges`.
        vocabulary: how many ids the text encoder knows: two per byte (within a word and at its
            end), one per merge, then start and end.

    Raises:
        BadInput: as `read_merges`.
        ValueError: a vocabulary without a merge, or above SimpleTokenizer's fixed 49,408.
    """

    def __init__(self, vocabulary_file: str | Path, vocabulary: int = 49_408):
        from recon.stable_diffusion import kerascv  # loads Keras; small words do without

        if not 2 * 256 + 2 < vocabulary <= 49_408:
            raise ValueError(f"vocabulary {vocabulary}: must be from 515 to 49,408")
        merges = read_merges(vocabulary_file, vocabulary - 2 * 256 - 2)
        # SimpleTokenizer unpacks the file itself, skips one line, and takes a last empty line for
        # a merge: it gets one that has none.
        file = io.BytesIO(gzip.compress("\n".join(["#version", *merges]).encode(), 1))
        self.pairs = kerascv.SimpleTokenizer(file)
        self.start = self.pairs.start_of_text
        self.end = self.pairs.end_of_text
        self.vocabulary = len(self.pairs.vocab)

    def encode(self, text: str) -> list[int]:
        # A lone surrogate, which no bytes stand for, becomes "?".
        text = text.encode("utf-8", "replace").decode()
        return self.pairs.encode(text)[1:-1]

    def decode(self, ids: Iterable[int]) -> str:
        return self.pairs.decode([int(i) for i in ids]).strip()

    def rest(self, text: str, count: int) -> str:
        return self.decode(self.encode(text)[count:])


class WordTokenizer:
    """One token per word; punctuation only separates. The small model's.

    A word it does not know becomes `<unknown>`, and is named in a warning, once.

    Args:
        words: lower-case words; a word's id is its place among them, after the special ones.
    """

    SPECIAL = ("<start>", "<end>", "<unknown>")
    WORD = re.compile(r"[^\s,.;:!?]+")

    def __init__(self, words: Sequence[str]):
        self.words = (*self.SPECIAL, *words)
        self.ids = {word: len(self.SPECIAL) + place for place, word in enumerate(words)}
        self.start, self.end, self.unknown = range(3)
        self.vocabulary = len(self.words)
        self.warned: set[str] = set()

    def split(self, text: str) -> list[str]:
        """The words of a text, lower-cased."""
        return self.WORD.findall(text.lower())

    def encode(self, text: str) -> list[int]:
        words = self.split(text)
        self.warn_of([word for word in words if word not in self.ids])
        return [self.ids.get(word, self.unknown) for word in words]

    def warn_of(self, words: Iterable[str]) -> None:
        """Name unknown words that have not been named before."""
        words = [word for word in dict.fromkeys(words) if word not in self.warned]
        if words:
            self.warned.update(words)
            known = ", ".join(self.words[len(self.SPECIAL) :])
            warn(f"the small model does not know {', '.join(words)!r}; its words are {known}")

    def decode(self, ids: Iterable[int]) -> str:
        return " ".join(self.words[i] for i in ids)

    def rest(self, text: str, count: int) -> str:
        return " ".join(self.split(text)[count:])


# Byte pairs, slowly ---------------------------------------------------------------------------
# What ClipTokenizer does to a word, so plainly that it can be read, and that tests hold against it.


def merge(pieces: Sequence[str], pair: tuple[str, str]) -> list[str]:
    """Join two pieces wherever they stand side by side, from the left.

    Args:
        pieces: of a word, such as `["t", "i", "g", "e", "r</w>"]`.
        pair: the left one and the right one.

    Returns:
        the pieces afterwards, `["ti", "g", "e", "r</w>"]` for `("t", "i")`.
    """
    merged = []
    for piece in pieces:
        if merged and (merged[-1], piece) == pair:
            merged[-1] += piece
        else:
            merged.append(piece)
    return merged


def byte_pairs(word: str, merges: Sequence[tuple[str, str]]) -> list[str]:
    """The pieces of a word: letters, joined as long as a merge fits (Sennrich et al., 2016).

    https://arxiv.org/abs/1508.07909. The merge that stands first in the list, which was the most
    frequent one when the list was made, goes first, wherever in the word it is.

    Args:
        word: of one-byte letters.
        merges: pairs of pieces.

    Returns:
        the pieces; the last ends in "</w>", as a word's last letter does from the start.
    """
    pieces = [*word[:-1], word[-1] + "</w>"]
    while fitting := [pair for pair in merges if pair in pairwise(pieces)]:
        pieces = merge(pieces, fitting[0])
    return pieces


# Prompts ------------------------------------------------------------------------------------


def check_prompt(prompt: str) -> None:
    """Refuse a user's prompt that says nothing; the unconditional one is empty by design.

    Raises:
        BadInput: nothing but spaces and punctuation, or bytes that are no text.
    """
    if not WordTokenizer.WORD.search(prompt):
        raise BadInput(f'the prompt {prompt!r} is empty: say what to show, such as "a tiger"')
    if any("\ud800" <= letter <= "\udfff" for letter in prompt):  # how Python keeps such bytes
        raise BadInput(f"the prompt {prompt!r} is not UTF-8 text: type it in a UTF-8 terminal")


def animal_of(label: str) -> str:
    """The animal of a class folder such as `cats`, `Cat` or `cat`; "" where there is no class.

    Raises:
        BadInput: a class for which the small model has no word.
    """
    animal = label.lower().removesuffix("s")
    if animal not in (*safari.CLASSES, ""):
        known = ", ".join(safari.CLASSES)
        raise BadInput(f"class {label!r}: the small model has words for {known} alone")
    return animal


def prompts(label: str) -> tuple[str, ...]:
    """What may be said of a photo in training: the small model's prompts.

    Args:
        label: the name of a class folder; "" where there is none.

    Raises:
        BadInput: a class for which the small model has no word.
    """
    animal = animal_of(label) or "animal"
    a = "an" if animal[0] in "aeiou" else "a"
    filled = [one.format(a=a, animal=animal, animals=f"{animal}s") for one in TEMPLATES]
    return (*filled, ANYTHING)


def pad(ids: Sequence[int], start: int, end: int, length: int) -> np.ndarray:
    """The row that a text encoder reads: start, ids, end, and the end again up to the length.

    Stable Diffusion 1.x pads with the end, as its CLIP was trained to. Ids that are too many are
    cut, so that the last of the row is always an end.

    Args:
        ids: of a prompt, without start and end; any number of them.
        start, end: ids.
        length: of the row.

    Returns:
        int32 `(length,)`.

    Raises:
        ValueError: a length without room for start and end.
    """
    if length < 2:
        raise ValueError(f"length {length}: start and end alone take 2")
    kept = list(ids)[: length - 2]
    row = np.full(length, end, "int32")
    row[0] = start
    row[1 : 1 + len(kept)] = kept
    return row


def tokens(tokenizer: Tokenizer, prompt: str, length: int) -> np.ndarray:
    """The tokens of a prompt: see `pad`. What of it does not fit is named in a warning.

    Returns:
        int32 `(length,)`.

    Raises:
        ValueError: a length without room for start and end.
    """
    ids, room = tokenizer.encode(prompt), length - 2
    padded = pad(ids, tokenizer.start, tokenizer.end, length)
    if len(ids) > room:
        warn(
            f"the prompt has {len(ids)} tokens, {room} fit: "
            f"{tokenizer.rest(prompt, room)!r} at its end is cut"
        )
    return padded


# Embeddings ---------------------------------------------------------------------------------


def attention(query: np.ndarray, key: np.ndarray) -> np.ndarray:
    """How much each token looks at each, where none may look at those after it.

    softmax(query · keyᵀ / √D), with −∞ in place of later tokens before the softmax (Vaswani et al.,
    2017, sections 3.2.1 and 3.2.3, https://arxiv.org/abs/1706.03762). So the embedding of a token
    depends on what was said so far. The networks' own is KerasCV's; this one is to look at.

    Args:
        query, key: `(..., L, D)`, a vector per token.

    Returns:
        `(..., L, L)`: row i says how token i divides its attention, and sums to 1.
    """
    length, width = query.shape[-2:]
    scores = query @ np.swapaxes(key, -1, -2) / np.sqrt(width)  # (..., L, L)
    later = np.triu(np.ones((length, length), bool), k=1)
    scores = np.where(later, -np.inf, scores)
    # Less the largest of each row: the exponentials then cannot overflow.
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def encode(text_encoder, tokens: np.ndarray) -> np.ndarray:
    """The embedding of tokens `(N, L)`: float32 `(N, L, width)`."""
    from keras import ops  # takes seconds to load; --help does without

    positions = np.broadcast_to(np.arange(tokens.shape[1], dtype="int32"), tokens.shape)
    said = text_encoder({"tokens": tokens, "positions": positions}, training=False)
    return ops.convert_to_numpy(ops.cast(said, "float32"))


def all_tokens(text_encoder, tokenizer: Tokenizer, prompts: Sequence[str]) -> np.ndarray:
    """The tokens of N prompts, as many of each as a text encoder reads: int32 `(N, L)`."""
    length = text_encoder.output.shape[1]
    return np.stack([tokens(tokenizer, one, length) for one in prompts])


def embed(text_encoder, tokenizer: Tokenizer, prompts: str | Sequence[str]) -> np.ndarray:
    """What the denoiser is told: an embedding of every token of every prompt.

    Args:
        text_encoder: `networks.text_encoder`, with weights.
        tokenizer: the one whose ids those weights know.
        prompts: N of them, or one alone; "" is the unconditional one.

    Returns:
        float32 `(N, length, width)`; of one alone `(length, width)`, `(77, 768)` for Stable
        Diffusion 1.x.
    """
    if isinstance(prompts, str):
        return embed(text_encoder, tokenizer, [prompts])[0]
    return encode(text_encoder, all_tokens(text_encoder, tokenizer, prompts))


def summary(embedding: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """One vector for a whole prompt: the embedding at its first end token.

    The encoder is causal, so this token is the first that has seen all of the prompt: CLIP's own
    choice (Radford et al., 2021, section 2.4), before its projection.

    Args:
        embedding: `(N, L, width)`.
        tokens: `(N, L)`, the row of every prompt: its last is always an end.

    Returns:
        `(N, width)`.
    """
    first = np.argmax(tokens == tokens[:, -1:], axis=1)  # (N,)
    return embedding[np.arange(len(tokens)), first]


def summaries(text_encoder, tokenizer: Tokenizer, prompts: Sequence[str]) -> np.ndarray:
    """The summaries of N prompts: float32 `(N, width)`."""
    ids = all_tokens(text_encoder, tokenizer, prompts)
    return summary(encode(text_encoder, ids), ids)


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosines between the rows of `(N, D)` and those of `(M, D)`: `(N, M)`, from -1 to 1."""
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    return np.clip(a @ b.T, -1, 1)


def similarity(text_encoder, tokenizer: Tokenizer, prompts: Sequence[str]) -> np.ndarray:
    """How alike prompts are to the text encoder: cosines `(N, N)` of their summaries."""
    vectors = summaries(text_encoder, tokenizer, prompts)
    return cosine(vectors, vectors)


def table(prompts: Sequence[str], similarities: np.ndarray) -> Table:
    """Similarities `(N, N)` for a terminal: a prompt per row, numbered, and a column per number."""
    shown = Table(title="cosine similarity of prompts", title_justify="left")
    shown.add_column("prompt")
    for number in range(1, len(prompts) + 1):
        shown.add_column(str(number), justify="right")
    for number, (prompt, row) in enumerate(zip(prompts, similarities, strict=True), 1):
        shown.add_row(Text(f"{number} {prompt}"), *(f"{value:.3f}" for value in row))
    return shown


# The command --------------------------------------------------------------------------------


def load(weights: Path, vocabulary: Path | None = None) -> tuple:
    """Load a text encoder and its tokenizer, and no other part of a model.

    Args:
        weights: a file of the small model; or a folder of Stable Diffusion 1.x, KerasCV's files or
            diffusers' layout.
        vocabulary: CLIP's; by default the one in the folder.

    Raises:
        BadInput: a file is missing, damaged, or another model's.
    """
    # Seconds to load, and a floor above: a command may look up, what it is made of may not.
    from recon.stable_diffusion import networks
    from recon.stable_diffusion import weights as files

    if not weights.exists():
        raise BadInput(
            f"{weights}: no such file or folder; `python -m recon.train --model diffusion-small` "
            "trains the small model"
        )
    if weights.is_file():
        return files.load_small(weights).text_encoder, WordTokenizer(SMALL_WORDS)
    encoder = networks.text_encoder(networks.STABLE_DIFFUSION)
    if (weights / "text_encoder").is_dir():
        path = files.safetensors_file(weights, "text_encoder", "model")
        tokenizer = ClipTokenizer(vocabulary or weights / "tokenizer" / "merges.txt")
        files.fill(path, files.places(encoder))
    else:
        path = files.find(files.TEXT_ENCODER, weights)
        tokenizer = ClipTokenizer(vocabulary or files.find(files.VOCABULARY, weights))
        files.load_legacy(encoder, path)
    return encoder, tokenizer


def compare(
    *prompts: str,
    weights: Path | None = None,
    vocabulary: Path | None = None,
    out: Path | None = None,
) -> None:
    """Compare prompts as Stable Diffusion reads them.

    Prints the cosine similarity of every two.

    Parameters
    ----------
    prompts
        Two or more, in quotes.
    weights
        Whose text encoder reads them: a file of the small model, by default the one that comes with
        recon, or a folder of Stable Diffusion 1.x (KerasCV's files or diffusers' layout).
    vocabulary
        CLIP's, bpe_simple_vocab_16e6.txt.gz or merges.txt; by default the one in the folder.
    out
        A picture of the table, as PNG.
    """
    if len(prompts) < 2:
        raise BadInput(f'{len(prompts)} to compare: name two prompts or more, "a cat" "a dog"')
    for prompt in prompts:
        check_prompt(prompt)
    similarities = similarity(*load(weights or SHIPPED, vocabulary), prompts)
    commandline.console().print(table(prompts, similarities))
    if out:
        from recon import plots

        plots.similarities(out, list(prompts), similarities)


if __name__ == "__main__":
    commandline.run(compare)
