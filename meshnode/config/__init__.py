"""Static settings: one table, from which the file, the environment, the flags and their help are read."""

from .folders import Folders
from .read import Given, read_settings
from .setting import Setting
from .settings import TABLE, Settings

__all__ = ["TABLE", "Folders", "Given", "Setting", "Settings", "read_settings"]
