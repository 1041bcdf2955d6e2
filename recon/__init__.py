"""recon gives photos back their missing pieces.

`import recon` is light: it loads neither Keras nor a backend. Each part is imported by its
own name, `from recon import boxes`, `from recon.data import safari`.
"""

import os

__version__ = "0.1.0"

# TensorFlow's C++ side writes start-up notes to the terminal unless told before it is loaded.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
