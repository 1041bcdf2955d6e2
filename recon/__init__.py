"""recon gives photos back their missing pieces.

`import recon` is light: it loads neither Keras nor a backend. Each part is imported by its
own name, `from recon import boxes`, `from recon.data import safari`.
"""

from recon import quiet

__version__ = "0.1.0"

quiet.install()
