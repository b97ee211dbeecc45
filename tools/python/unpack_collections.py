"""Unpacks collections out of the wheel of PyPI's `ansible` into this interpreter's packages.

usage: unpack_collections.py FOLDER NAMESPACE.NAME ...   (the wheel in FOLDER is deleted afterwards)
"""

import pathlib
import shutil
import sys
import sysconfig
import zipfile

folder = pathlib.Path(sys.argv[1])
names = sys.argv[2:]
packages = sysconfig.get_path("purelib")
wheel = next(folder.glob("ansible-*.whl"))

with zipfile.ZipFile(wheel) as archive:
    members = archive.namelist()
    for name in names:
        prefix = "ansible_collections/" + name.replace(".", "/") + "/"
        wanted = [m for m in members if m.startswith(prefix) and "/tests/" not in m]
        if not wanted:
            sys.exit(f"{wheel.name} holds no collection {name}")
        archive.extractall(packages, wanted)

shutil.rmtree(folder)
