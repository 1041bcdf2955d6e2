"""The course: lessons made of the package's functions, and checks that judge every step.

A notebook needs one name of it: `from recon.course import check`.
"""

from recon.course.notebook import check

__all__ = ["check"]
