"""Stable Diffusion as an inpainter, on KerasCV's networks."""
