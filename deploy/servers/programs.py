"""Where the programs of the servers are."""

import os
import shutil

PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"  # a plain user's PATH may lack mariadbd and nginx


def program(name: str) -> str:
    found = shutil.which(name, path=PATH)
    if found is None:
        raise FileNotFoundError(f"{name} is not installed: `make setup` installs it")
    return found
