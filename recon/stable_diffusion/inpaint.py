"""Photos with holes in, completed photos out: what surrounds the sampler.

The hole is filled classically first, so that nothing false leaks out of it when the photo is
encoded; the sampler makes the latents of the hole, in view of the prompt; what is decoded is pasted
into the hole alone, and known pixels stay as they are, bit for bit.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import keras
import numpy as np
import psutil
from scipy import ndimage

from recon import classical
from recon.errors import BadInput
from recon.stable_diffusion import networks as nets
from recon.stable_diffusion import sampler, text, weights
from recon.stable_diffusion.networks import Layout
from recon.stable_diffusion.request import Request


def latent_hole(mask: np.ndarray, factor: int) -> np.ndarray:
    """Holes as the latents see them: a latent is to be made if any of its pixels is missing.

    (Taking the mean, or any known pixel, for known would freeze latents that show the hole.)

    Args:
        mask: `(B, H, W, 1)`, 1 = missing.
        factor: side of the square of pixels that a latent stands for.

    Returns:
        float32 `(B, H / factor, W / factor, 1)`.
    """
    batch, height, width, _ = mask.shape
    squares = mask.reshape(batch, height // factor, factor, width // factor, factor, 1)
    return squares.max(axis=(2, 4))


def feathered(guess: np.ndarray, fill: np.ndarray, mask: np.ndarray, width: int) -> np.ndarray:
    """Let a guess begin at a hole's border where its surroundings end.

    Over `width` pixels the classical fill, which continues what is known, passes into the guess.

    Args:
        guess, fill: `(H, W, 3)`.
        mask: `(H, W, 1)`, 1 = missing.
        width: in pixels; 0 leaves the guess as it is.
    """
    distance = ndimage.distance_transform_edt(np.pad(mask[..., 0], 1, mode="edge"))[1:-1, 1:-1]
    share = np.clip(distance / (width + 1), 0, 1)[..., None].astype("float32")
    return share * guess + (1 - share) * fill


def fill(masked: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fill holes harmonically: `(B, H, W, 3)`; a photo of which nothing is known becomes grey."""
    grey = np.full(masked.shape[1:], 0.5, "float32")
    return np.stack(
        [
            grey if hole.all() else classical.harmonic(photo, hole)
            for photo, hole in zip(masked, mask, strict=True)
        ]
    )


@dataclass(frozen=True)
class Networks:
    """The parts of one trained model, large or small."""

    layout: Layout
    size: int  # height and width of its photos, in pixels
    tokenizer: text.Tokenizer
    text_encoder: keras.Model
    image_encoder: keras.Model
    denoiser: keras.Model  # of 4 channels, or of 9, trained to inpaint
    decoder: keras.Model
    sample: sampler.Sampler = field(init=False)  # compiled once, used again

    def __post_init__(self):
        loop = sampler.Sampler(self.denoiser, self.layout.time_width)
        # XLA compiles for minutes what a CPU then runs no faster.
        loop.compile(jit_compile=keras.backend.backend() == "jax")
        object.__setattr__(self, "sample", loop)


def encode(networks: Networks, photo: np.ndarray) -> np.ndarray:
    """Latents of photos in [0, 1]: `(B, S, S, 3)` -> float32 `(B, S/f, S/f, 4)`."""
    return networks.image_encoder.predict_on_batch(2 * photo - 1).astype("float32")


def decode(networks: Networks, latent: np.ndarray) -> np.ndarray:
    """Photos of latents, in [0, 1]: `(B, S/f, S/f, 4)` -> float32 `(B, S, S, 3)`."""
    photo = networks.decoder.predict_on_batch(latent).astype("float32")
    return np.clip((photo + 1) / 2, 0, 1)


def sample(
    networks: Networks,
    known: np.ndarray,
    hole: np.ndarray,
    noise: np.ndarray,
    prompts: list[str],
    request: Request,
    **options,
) -> np.ndarray:
    """Make latents in the holes: `(B, h, w, 4)`.

    Args:
        networks: with weights.
        known: `(B, h, w, 4)`, latents around the holes.
        hole: `(B, h, w, 1)`, 1 = to be made.
        noise: `(N, B or 1, h, w, 4)`, as many as the request's plan has `noises`.
        prompts: one for each of the B.
        request: all but its prompt and its seed.
        options: `masked` and `progress` of `Sampler.run`.
    """
    count = len(known)
    embedded = text.embed(
        networks.text_encoder, networks.tokenizer, [request.negative_prompt, *prompts]
    )  # (1 + B, L, W)
    return networks.sample.run(
        request.plan(),
        known,
        hole,
        embedded[1:],
        np.broadcast_to(noise, (len(noise), count, *noise.shape[2:])),
        negative=np.repeat(embedded[:1], count, axis=0),
        guidance=request.guidance,
        **options,
    )


def generate(networks: Networks, prompts: list[str], request: Request) -> np.ndarray:
    """Photos of nothing but prompts, each from noise of its own: float32 `(B, S, S, 3)`.

    Args:
        networks: with weights; not those that were trained to inpaint.
        prompts: B of them.
        request: all but its prompt.
    """
    side = networks.size // networks.layout.factor
    shape = (len(prompts), side, side)
    known = np.zeros((*shape, networks.layout.latent_channels), "float32")
    noise = sampler.draw_noise(request.seed, (request.plan().noises, *known.shape))
    hole = np.ones((*shape, 1), "float32")
    return decode(networks, sample(networks, known, hole, noise, prompts, request))


def inpaint(
    networks: Networks,
    masked: np.ndarray,
    mask: np.ndarray,
    request: Request,
    progress: Callable[[range], Iterable[int]] | None = None,
) -> np.ndarray:
    """Complete photos of the networks' size.

    Every photo starts from the same noise: what becomes of it does not depend on what stands beside
    it in the batch.

    Args:
        networks: with weights.
        masked: `(B, S, S, 3)` in [0, 1], missing pixels black.
        mask: `(B, S, S, 1)`, 1 = missing.
        request: the prompt, and how it is followed.
        progress: as of `Sampler.run`.

    Returns:
        float32 `(B, S, S, 3)` in [0, 1]; known pixels bit for bit.
    """
    filled = fill(masked, mask)
    known = encode(networks, filled)  # (B, h, w, 4)
    hole = latent_hole(mask, networks.layout.factor)
    noise = sampler.draw_noise(request.seed, (request.plan().noises, 1, *known.shape[1:]))
    options = {"progress": progress}
    if networks.denoiser.input["latent"].shape[-1] > known.shape[-1]:  # trained to inpaint
        options["masked"] = encode(networks, np.where(mask > 0, 0.5, masked).astype("float32"))
    prompts = [request.prompt] * len(masked)
    latent = sample(networks, known, hole, noise, prompts, request, **options)
    guess = decode(networks, latent)
    guess = np.stack(
        [feathered(*one, request.feather) for one in zip(guess, filled, mask, strict=True)]
    )
    return classical.paste(masked, mask, guess)


# Where networks come from ----------------------------------------------------------------

WEIGHTS = 1_066_000_000  # of Stable Diffusion 1.x, all four networks


def memory(canvas: int, precision: str, batch: int = 1) -> int:
    """Bytes that Stable Diffusion takes, about: its weights, attention's tables, and the rest.

    At the latents' resolution each of eight heads compares all places with all others, for the
    prompt and for the negative prompt; one or two such tables are in memory at a time. TensorFlow,
    its programs and all other pictures take some two gigabytes. Peaks seen: at 128×128, where the
    tables are small, 6.0 GB in float32 and 3.7 GB in bfloat16; at 512×512 in bfloat16, 4.2 GB
    (tests/stable_diffusion/test_full_size.py, at those sizes).

    Args:
        canvas: height and width of the photos, in pixels.
        precision: float32 or bfloat16.
        batch: photos at once.
    """
    layout = nets.STABLE_DIFFUSION
    each = 2 if precision == "bfloat16" else 4
    places = (canvas // layout.factor) ** 2
    return each * (WEIGHTS + 2 * 2 * batch * layout.heads * places**2) + 2_000_000_000


def check_memory(request: Request) -> None:
    """See that Stable Diffusion fits in what memory is free, before it is loaded.

    Raises:
        BadInput: it does not.
    """
    needed = memory(request.canvas, request.precision, request.batch)
    free = psutil.virtual_memory().available
    if needed > free:
        raise BadInput(
            f"Stable Diffusion at {request.canvas}×{request.canvas}, {request.batch} at a time in "
            f"{request.precision}, takes about {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are "
            "free; try --precision bfloat16, a smaller --canvas or a smaller --batch"
        )


def of(loaded: weights.Loaded, size: int) -> Networks:
    """Loaded weights with their tokenizer, for photos of a size."""
    if loaded.vocabulary is None:
        tokenizer = text.WordTokenizer(text.SMALL_WORDS)
    else:
        tokenizer = text.ClipTokenizer(loaded.vocabulary, loaded.layout.vocabulary)
    parts = (loaded.text_encoder, loaded.image_encoder, loaded.denoiser, loaded.decoder)
    return Networks(loaded.layout, size, tokenizer, *parts)


def load(name: str, request: Request) -> Networks:
    """The networks of a method's name: the package's small ones, or Stable Diffusion's.

    Raises:
        BadInput: Stable Diffusion's files are not there, or too little memory is.
    """
    if name == "diffusion-small":
        return of(weights.load_small(text.SHIPPED), 64)
    check_memory(request)
    return of(weights.load(request.weights, request.canvas, request.precision), request.canvas)
