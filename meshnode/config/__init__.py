"""Static settings: one table, from which the file, the environment, the flags and their help are read."""

from .folders import Folders
from .places import Mistake, Place, Source
from .read import Examined, Given, examine_settings, read_settings
from .setting import Setting
from .settings import TABLE, Settings

__all__ = [
    "TABLE",
    "Examined",
    "Folders",
    "Given",
    "Mistake",
    "Place",
    "Setting",
    "Settings",
    "Source",
    "examine_settings",
    "read_settings",
]
