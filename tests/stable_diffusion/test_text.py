"""recon.stable_diffusion.text: tokens of any text, what is cut and unknown, embeddings compared."""

import recon  # noqa: F401, I001 (first: TensorFlow then starts quietly)
import gzip
import io
import os
import re
import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from rich.console import Console
from safetensors.numpy import save_file

from recon import commandline
from recon.data import safari
from recon.errors import BadInput
from recon.stable_diffusion import networks, text, weights
from recon.stable_diffusion.kerascv import CLIPAttention

ANY_TEXT = st.text() | st.text(st.characters(categories=("Cs", "Cc", "Lu", "Mn", "Zs")))
some = settings(max_examples=50, deadline=None)
OTHER = {"tensorflow": "jax", "jax": "tensorflow"}

# Enough to make one token of "tiger" and of "a", and two of "tigers".
MERGES = ("t i", "g e", "ti ge", "tige r</w>", "tige r", "tiger s</w>", "e r</w>", "l o")
VOCABULARY = 2 * 256 + len(MERGES) + 2
A, END_OF_BYTES = 256 + ord("a") - ord("!"), 512  # "a" that ends a word; then come the merges


def write_merges(path, merges=MERGES, first="#version: 0.2", end="\n"):
    """A vocabulary file, compressed or not by the path's ending."""
    content = ("\n".join([first, *merges]) + end).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return text.ClipTokenizer(write_merges(tmp_path_factory.mktemp("v") / "m.txt"), VOCABULARY)


@pytest.fixture
def words():
    return text.WordTokenizer(text.SMALL_WORDS)


@pytest.fixture(scope="module")
def encoder():
    keras.utils.set_random_seed(0)
    return networks.text_encoder(networks.SMALL)


# CLIP's tokenizer


def test_a_word_is_merged_in_the_files_order(clip):
    # t i g e r</w> -> ti g e r</w> -> ti ge r</w> -> tige r</w> -> tiger</w>
    tiger = END_OF_BYTES + MERGES.index("tige r</w>")
    assert clip.encode("A  Tiger") == [A, tiger]
    # "er</w>" comes too late: g and e are merged before.
    r, s = ord("r") - ord("!"), 256 + ord("s") - ord("!")
    assert clip.encode("tigers") == [END_OF_BYTES + MERGES.index("tiger s</w>")]
    assert clip.encode("rs") == [r, s]
    assert (clip.start, clip.end) == (VOCABULARY - 2, VOCABULARY - 1)


@some
@given(st.text(alphabet="tigersol", min_size=1, max_size=12))
def test_byte_pairs_are_clips_pieces(clip, word):
    pieces = text.byte_pairs(word, [tuple(merge.split()) for merge in MERGES])
    assert [clip.pairs.decoder[i] for i in clip.encode(word)] == pieces
    assert "".join(pieces) == f"{word}</w>"


def test_a_pair_is_merged_wherever_it_stands():
    assert text.merge(["a", "b", "c", "a", "b"], ("a", "b")) == ["ab", "c", "ab"]
    assert text.merge(["a", "a", "a", "a", "a"], ("a", "a")) == ["aa", "aa", "a"]
    assert text.merge([], ("a", "b")) == []


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("merges.txt", "#version: 0.2"),
        ("bpe_simple_vocab_16e6.txt.gz", '"bpe_simple_vocab_16e6.txt#version: 0.2'),
    ],
)
def test_every_kind_of_file_gives_the_same_ids(clip, tmp_path, name, first, end):
    path = write_merges(tmp_path / name, first=first, end=end)
    other = text.ClipTokenizer(path, VOCABULARY)
    assert other.vocabulary == clip.vocabulary == VOCABULARY
    assert (other.start, other.end) == (clip.start, clip.end)
    prompt = "the tiger's 3 été, no text!"
    assert other.encode(prompt) == clip.encode(prompt)


def synthetic_merges(count=48_894):
    """As many merges as CLIP has, made of letters only."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    pairs = [f"{a} {b}" for a in letters for b in letters]
    triples = [f"{a}{b} {c}" for a in letters for b in letters for c in letters]
    fours = [f"{a}{b}{c} {d}" for a in letters for b in "aeiou" for c in letters for d in letters]
    return [*pairs, *triples, *fours][:count]


@pytest.mark.parametrize("more", [0, 3])  # OpenAI's file goes on after what CLIP uses
def test_a_vocabulary_of_full_length_has_clips_start_and_end(tmp_path, more):
    merges = synthetic_merges()
    path = write_merges(tmp_path / "merges.txt.gz", merges + ["q q</w>"] * more)
    tokenizer = text.ClipTokenizer(path)
    assert (tokenizer.start, tokenizer.end, tokenizer.vocabulary) == (49_406, 49_407, 49_408)
    assert networks.STABLE_DIFFUSION.vocabulary == tokenizer.vocabulary
    assert text.tokens(tokenizer, "", 77).tolist() == [49_406] + [49_407] * 76


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"#version: 0.2\nt i\n", "holds 1 merges of 8: it ends early"),
        (b"#version: 0.2\n", "holds 0 merges of 8: it ends early"),
        (b"#version: 0.2\nt i\ng\nti ge\n", "line 3, 'g', is not two pieces of a word"),
        (b"{}\n", "not CLIP's vocabulary, whose first line has #version"),
        (b"", "not CLIP's vocabulary"),
        (b"\x89PNG\xff\xfe", "not CLIP's vocabulary"),
        (
            gzip.compress(b"#version\n" + b"a b\n" * 99, mtime=0)[:-9],
            "bytes of a compressed file that end",
        ),
        (gzip.compress(b"#version\n", mtime=0)[:-8] + b"12345678", "ends early or is damaged"),
    ],
)
def test_a_file_that_is_no_vocabulary(tmp_path, content, line):
    path = tmp_path / "merges.txt"
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        text.ClipTokenizer(path, VOCABULARY)
    assert str(caught.value).startswith(f"{path}: ")
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_an_impossible_vocabulary(tmp_path):
    with pytest.raises(BadInput, match=r"gone\.txt: no such file; CLIP's vocabulary is bpe_simple"):
        text.ClipTokenizer(tmp_path / "gone.txt")
    for vocabulary in (514, 49_409):
        with pytest.raises(ValueError, match=f"vocabulary {vocabulary}: must be"):
            text.ClipTokenizer(tmp_path / "gone.txt", vocabulary)


@some
@given(st.text(alphabet="abtiger 'é虎\U0001f42f0,!", max_size=40))
def test_clips_tokens_decode_to_the_text(clip, prompt):
    # Spaces may come to stand between letters, digits and signs; nothing else changes.
    decoded = clip.decode(clip.encode(prompt))
    assert decoded.replace(" ", "") == prompt.replace(" ", "")


# The small model's


def test_the_small_models_words_fit_its_text_encoder(words):
    assert words.vocabulary == len(text.SMALL_WORDS) + 3 <= networks.SMALL.vocabulary <= 64
    assert len(set(words.words)) == words.vocabulary


def test_ids_are_places_among_the_words(words):
    ids = words.encode("Cat,dog;  TIGER!")
    assert ids == [3 + text.SMALL_WORDS.index(word) for word in ("cat", "dog", "tiger")]
    assert words.decode(ids) == "cat dog tiger"


@some
@given(st.lists(st.sampled_from(text.SMALL_WORDS)))
def test_known_words_decode_to_themselves(chosen):
    words = text.WordTokenizer(text.SMALL_WORDS)
    assert words.decode(words.encode(" ".join(chosen))) == " ".join(chosen)


def test_an_unknown_word_is_named_once(words, capsys):
    ids = words.encode("a zebra and a lion")
    assert words.decode(ids) == "a <unknown> <unknown> a <unknown>"
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(
        "warning: the small model does not know 'zebra, and, lion'; its words are a, an, of, no"
    )
    assert said.err.count("\n") == 1
    words.encode("zebra")
    assert capsys.readouterr().err == ""
    words.encode("zebra quagga")
    assert "'quagga'" in capsys.readouterr().err


def test_special_tokens_cannot_be_typed(words):
    assert words.encode("<start> <end>") == [words.unknown, words.unknown]


# Prompts


@pytest.mark.parametrize("label", [*safari.CLASSES, ""])
def test_training_prompts_use_every_word_and_no_other(words, capsys, label):
    said = [words.encode(prompt) for prompt in text.prompts(label)]
    assert capsys.readouterr().err == ""
    assert max(map(len, said)) <= networks.SMALL.length - 2


def test_every_small_word_is_trained():
    used = {
        word
        for label in (*safari.CLASSES, "")
        for prompt in text.prompts(label)
        for word in text.WordTokenizer(()).split(prompt)
    }
    assert used == set(text.SMALL_WORDS)


def test_prompts_of_a_class():
    assert text.prompts("tigers") == text.prompts("Tiger") == text.prompts("tiger")
    assert {"a drawing of a tiger", "tiger", "tigers"} <= set(text.prompts("tigers"))
    assert "a picture of an elephant" in text.prompts("elephants")
    assert "a photo of an animal" in text.prompts("")
    assert not any("cat" in prompt for prompt in text.prompts("dogs"))
    with pytest.raises(BadInput, match="class 'horses': the small model has words for cat, dog"):
        text.prompts("horses")


@pytest.mark.parametrize("prompt", ["", "  ", "\n", " ,.!"])
def test_an_empty_prompt_is_refused(prompt):
    with pytest.raises(BadInput, match="is empty: say what to show"):
        text.check_prompt(prompt)


def test_a_prompt_that_is_no_text_is_refused():
    with pytest.raises(BadInput, match="is not UTF-8 text"):
        text.check_prompt("caf\udce9")
    text.check_prompt("虎")


# Tokens


def test_tokens_are_start_words_end_and_ends(words):
    cat = 3 + text.SMALL_WORDS.index("cat")
    found = text.tokens(words, "cat, cat", 6)
    assert found.dtype == np.int32
    assert found.tolist() == [words.start, cat, cat, words.end, words.end, words.end]
    assert text.tokens(words, text.UNCONDITIONAL, 3).tolist() == [words.start, words.end, words.end]


@pytest.mark.parametrize(("length", "cut"), [(6, "'tiger no text'"), (8, "'text'"), (9, None)])
def test_what_does_not_fit_is_cut_and_shown(words, capsys, length, cut):
    found = text.tokens(words, "A drawing of a tiger, no text", length)
    assert len(found) == length
    assert found[-1] == words.end
    said = capsys.readouterr().err
    if cut:
        assert said == (
            f"warning: the prompt has 7 tokens, {length - 2} fit: {cut} at its end is cut\n"
        )
    else:
        assert said == ""


def test_words_that_are_cut_are_the_users_own(words, capsys):
    text.tokens(words, "cat zebra lion", 4)
    assert "'lion' at its end is cut" in capsys.readouterr().err


def test_clips_tokens_are_cut_too(clip, capsys):
    found = text.tokens(clip, "a tiger a tiger", 5)
    tiger = clip.encode("tiger")[0]
    assert found.tolist() == [clip.start, A, tiger, A, clip.end]
    assert capsys.readouterr().err == (
        "warning: the prompt has 4 tokens, 3 fit: 'tiger' at its end is cut\n"
    )


def test_a_length_without_room_is_refused(words):
    with pytest.raises(ValueError, match="length 1: start and end alone take 2"):
        text.tokens(words, "cat", 1)


@pytest.mark.parametrize("kind", ["clip", "words"])
@some
@given(prompt=ANY_TEXT, length=st.integers(2, 20))
def test_any_text_has_tokens(clip, kind, prompt, length):
    tokenizer = clip if kind == "clip" else text.WordTokenizer(text.SMALL_WORDS)
    found = text.tokens(tokenizer, prompt, length)
    assert found.shape == (length,)
    assert found[0] == tokenizer.start
    assert found[-1] == tokenizer.end
    assert found.min() >= 0
    assert found.max() < tokenizer.vocabulary
    ids = tokenizer.encode(prompt)[: length - 2]
    assert found[1 : 1 + len(ids)].tolist() == ids
    assert set(found[1 + len(ids) :].tolist()) == {tokenizer.end}


# Embeddings


def test_attention_is_that_of_the_networks():
    keras.utils.set_random_seed(0)
    layer = CLIPAttention(8, 2)
    x = np.random.default_rng(0).standard_normal((1, 5, 8), "float32")
    expected = ops.convert_to_numpy(layer(x))

    def heads(projection):  # (2, 5, 4)
        return ops.convert_to_numpy(projection(x)).reshape(5, 2, 4).transpose(1, 0, 2)

    weights = text.attention(heads(layer.q_proj), heads(layer.k_proj))
    assert (weights[(slice(None), *np.triu_indices(5, 1))] == 0).all()
    seen = (weights @ heads(layer.v_proj)).transpose(1, 0, 2).reshape(1, 5, 8)
    np.testing.assert_allclose(ops.convert_to_numpy(layer.out_proj(seen)), expected, atol=1e-5)


def test_attention_of_large_scores_does_not_overflow():
    query = np.full((3, 4), 100, "float32")
    np.testing.assert_allclose(text.attention(query, query)[2], 1 / 3, rtol=1e-6)


def test_an_embedding_per_token(encoder, words):
    layout = networks.SMALL
    both = text.embed(encoder, words, ["a tiger", text.UNCONDITIONAL])
    assert both.dtype == np.float32
    assert both.shape == (2, layout.length, layout.text_width)
    alone = text.embed(encoder, words, "a tiger")
    np.testing.assert_allclose(alone, both[0], atol=1e-5)


def test_a_token_sees_those_before_it_alone(encoder, words):
    one, other = text.embed(encoder, words, ["a tiger", "a cat"])
    np.testing.assert_allclose(one[:2], other[:2], atol=1e-6)  # start, "a"
    assert (np.abs(one[2:] - other[2:]).max(axis=1) > 1e-3).all()


def test_a_summary_is_the_embedding_at_the_first_end(words):
    prompts = ["", "cat", "a cat", "a drawing of a cat"]
    ids = np.stack([text.tokens(words, one, 7) for one in prompts])
    embedding = np.random.default_rng(0).random((4, 7, 5), "float32")
    expected = [embedding[0, 1], embedding[1, 2], embedding[2, 3], embedding[3, 6]]
    np.testing.assert_array_equal(text.summary(embedding, ids), expected)


def test_cosines_by_the_slow_formula():
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(3, 4)), generator.normal(size=(2, 4))
    for i, j in np.ndindex(3, 2):
        lengths = sum(a[i] ** 2) ** 0.5 * sum(b[j] ** 2) ** 0.5
        assert text.cosine(a, b)[i, j] == pytest.approx(sum(a[i] * b[j]) / lengths)


def test_similarities_of_prompts(encoder, words):
    prompts = ["a tiger", "A tiger!", "an elephant", "no text"]
    found = text.similarity(encoder, words, prompts)
    assert found.shape == (4, 4)
    np.testing.assert_allclose(np.diag(found), 1, atol=1e-5)
    np.testing.assert_allclose(found, found.T, atol=1e-6)
    assert found[0, 1] == pytest.approx(1, abs=1e-5)  # the same words
    assert found[0, 2] < 0.999


def test_the_table_shows_prompts_and_cosines():
    console = Console(width=60, record=True, file=io.StringIO())
    console.print(text.table(["a cat [bold]", "dog"], np.array([[1, 0.25], [0.25, 1]])))
    shown = console.export_text().splitlines()
    assert [line.split("│")[1:-1] for line in shown if "│" in line] == [
        [" 1 a cat [bold] ", " 1.000 ", " 0.250 "],
        [" 2 dog          ", " 0.250 ", " 1.000 "],
    ]


PROGRAM = """
import sys
import recon
import numpy as np
from recon.stable_diffusion import networks, text, weights
encoder = networks.text_encoder(networks.SMALL)
encoder.load_weights(sys.argv[1])
words = text.WordTokenizer(text.SMALL_WORDS)
np.save(sys.argv[2], text.embed(encoder, words, ["a tiger", ""]))
"""


def test_the_other_backend_says_the_same(encoder, words, tmp_path):
    other = OTHER.get(keras.backend.backend())
    pytest.importorskip(other or "no other backend")
    paths = [str(tmp_path / name) for name in ("encoder.weights.h5", "said.npy")]
    encoder.save_weights(paths[0])
    environment = {**os.environ, "KERAS_BACKEND": other}
    command = [sys.executable, "-c", PROGRAM, *paths]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = text.embed(encoder, words, ["a tiger", ""])
    np.testing.assert_allclose(np.load(paths[1]), said, atol=1e-4)


# The command


@pytest.fixture(scope="module")
def small_file(encoder, tmp_path_factory):
    """A file of the small model, untrained."""
    parts = networks.SMALL, None, encoder, *weights.build(networks.SMALL, 64, 4)[1:]
    path = tmp_path_factory.mktemp("small") / "small.safetensors"
    weights.save_small(path, weights.Loaded(*parts))
    return path


def test_the_command_prints_the_table_and_draws_it(encoder, words, small_file, tmp_path, capsys):
    prompts, picture = ["a tiger", "an elephant"], tmp_path / "table.png"
    commandline.run(text.compare, [*prompts, f"--weights={small_file}", f"--out={picture}"])
    printed = capsys.readouterr().out
    cosine = text.similarity(encoder, words, prompts)[0, 1]
    rows = [re.findall(r"[-\w .]+", line) for line in printed.splitlines() if "│" in line]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["1 a tiger", "1.000", f"{cosine:.3f}"],
        ["2 an elephant", f"{cosine:.3f}", "1.000"],
    ]
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["a cat"], "1 to compare: name two prompts or more"),
        (["a cat", " "], "the prompt ' ' is empty"),
        (["a cat", "a dog", "--weights=gone"], "gone: no such file or folder; `python -m recon"),
        (["a cat", "a dog", "--weights=."], "kcv_encoder.h5: no such file, about 490 MB"),
    ],
)
def test_the_command_refuses(arguments, line, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    layout = replace(networks.SMALL, name="in place of the large")
    monkeypatch.setattr(networks, "STABLE_DIFFUSION", layout)
    with pytest.raises(SystemExit):
        commandline.run(text.compare, arguments)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert line in said.err
    assert said.err.count("\n") == 1


def test_a_diffusers_folder_brings_its_vocabulary(tmp_path, monkeypatch):
    layout = replace(networks.SMALL, vocabulary=49_408)
    monkeypatch.setattr(networks, "STABLE_DIFFUSION", layout)
    made = networks.text_encoder(layout)
    for part in ("text_encoder", "tokenizer"):
        (tmp_path / part).mkdir()
    tensors = {name: place.read() for name, place in weights.places(made).items()}
    tensors = {name: np.ascontiguousarray(x) for name, x in tensors.items()}
    save_file(tensors, tmp_path / "text_encoder" / "model.safetensors")
    write_merges(tmp_path / "tokenizer" / "merges.txt", synthetic_merges())
    encoder, tokenizer = text.load(tmp_path)
    assert isinstance(tokenizer, text.ClipTokenizer)
    np.testing.assert_allclose(
        text.embed(encoder, tokenizer, "a cat"), text.embed(made, tokenizer, "a cat"), atol=1e-6
    )
