"""The published weights give the values that KerasCV's own tests expect of them.

The values are those of keras_cv/models/stable_diffusion/stable_diffusion_test.py. They run where
KerasCV's files lie in the cache folder: `pytest -m slow`.
"""

import numpy as np
import pytest

from recon.stable_diffusion import inpaint, weights
from recon.stable_diffusion.request import Request

FILES = (
    weights.TEXT_ENCODER,
    weights.IMAGE_ENCODER,
    weights.DENOISER,
    weights.DECODER,
    weights.VOCABULARY,
)
MISSING = [file.name for file in FILES if not (weights.cache() / file.name).is_file()]
PROMPT = "a caterpillar smoking a hookah while sitting on a mushroom"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"{weights.cache()} lacks {', '.join(MISSING)}"),
]


@pytest.fixture(scope="module")
def published():
    return inpaint.load("stable-diffusion", Request(canvas=128))


def test_tokens(published):
    tokenizer = published.tokenizer
    ids = [tokenizer.start, *tokenizer.encode(PROMPT)]
    assert ids[:5] == [49406, 320, 27111, 9038, 320]


def test_text_encoder(published):
    embedding = inpaint.text.embed(published.text_encoder, published.tokenizer, PROMPT)
    expected = [0.029033, -1.325784, 0.308457, -0.061469, 0.03983]
    np.testing.assert_allclose(embedding[1, :5], expected, atol=1e-4)


def test_image_encoder(published):
    latent = published.image_encoder.predict(np.ones((1, 128, 128, 3), "float32"), verbose=0)
    expected = [2.451568, 1.607522, -0.546311, -1.194388]
    np.testing.assert_allclose(latent[0, 1, 0], expected, atol=5e-4)


def test_a_photo_of_a_prompt_is_a_picture(published):
    photo = inpaint.generate(published, [PROMPT], Request(steps=10))[0]
    assert 0.1 < photo.std() < 0.5  # neither grey nor noise at its limits
    assert np.abs(np.diff(photo, axis=0)).mean() < 0.15  # neighbours are alike
