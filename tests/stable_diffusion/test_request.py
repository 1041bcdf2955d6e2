"""recon.stable_diffusion.request: options that cannot be meant end in one line."""

import pytest

from recon import commandline
from recon.errors import BadInput
from recon.restore import restore
from recon.stable_diffusion.request import Request, asked


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"prompt": " "}, "the prompt ' ' is empty"),
        ({"steps": 0}, "--steps 0: must be 1 to 1000"),
        ({"guidance": -1.0}, "--guidance -1.0: must be a number, 0 or more"),
        ({"guidance": float("nan")}, "--guidance nan: must be a number"),
        ({"strength": 0.0}, "--strength 0.0: must be above 0 and at most 1"),
        ({"strength": 1.5}, "--strength 1.5: must be above 0 and at most 1"),
        ({"resample": 0}, "--resample 0: must be 1 or more"),
        ({"feather": -1}, "--feather -1: must be 0 or more"),
        ({"seed": -1}, "--seed -1: must be 0 or more"),
        ({"batch": 0}, "--batch 0: must be 1 or more"),
        ({"canvas": 100}, "--canvas 100: must be a multiple of 64"),
        ({"canvas": 0}, "--canvas 0: must be a multiple of 64"),
    ],
)
def test_what_cannot_be_meant_is_refused(options, expected):
    with pytest.raises(BadInput) as caught:
        Request(**options).check()
    assert str(caught.value).startswith(expected)


def test_the_options_by_default_are_good():
    Request().check()
    assert len(Request().plan().timestep) == 50


def test_a_seed_alone_is_a_request_and_nothing_is_none():
    assert asked(None, 0) is None
    assert asked(None, 3) == Request(seed=3)
    assert asked(Request(prompt="a cat"), 3) == Request(prompt="a cat", seed=3)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--steps", "0", "--method", "diffusion-small"], "--steps 0: must be 1 to 1000"),
        (["--prompt", "", "--method", "stable-diffusion"], "the prompt '' is empty"),
        (["--prompt", "a cat"], "unet takes no prompt"),
        (["--seed", "3", "--method", "harmonic"], "harmonic takes no prompt"),
        (["--sampler", "euler", "--method", "diffusion-small"], "euler"),
    ],
)
def test_on_the_command_line_it_is_one_line(tmp_path, capsys, options, expected):
    from PIL import Image

    Image.new("RGB", (100, 100), "teal").save(tmp_path / "photo.png")
    with pytest.raises(SystemExit) as end:
        commandline.run(restore, [str(tmp_path / "photo.png"), "--box", "5,5", *options])
    assert end.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert expected in lines[0]
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]
