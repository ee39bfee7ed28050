"""How a machine comes into a mesh: what a node that stands tells it, what is checked there, and what is written."""

from .checks import Checked, Finding, Joining, check
from .invitation import Invitation
from .write import Written, write

__all__ = ["Checked", "Finding", "Invitation", "Joining", "Written", "check", "write"]
