"""Fail unless a wheel holds the packages jitgrad and jitgrad_compiler, their type markers, and nothing else."""

import sys
import zipfile

names = zipfile.ZipFile(sys.argv[1]).namelist()
strays = [n for n in names if not n.startswith(("jitgrad/", "jitgrad_compiler/")) and ".dist-info/" not in n]
missing = [n for n in ("jitgrad/py.typed", "jitgrad_compiler/py.typed", "jitgrad/__init__.py") if n not in names]
if strays or missing:
    sys.exit(f"wheel: unexpected {strays}, missing {missing}")
print(f"{len(names)} files")
