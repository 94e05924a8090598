"""Front end and compiler come from one place, whatever else is installed or lies around."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import jitgrad
import jitgrad_compiler

ROOT = Path(__file__).parents[1]
SHOW = "import jitgrad, jitgrad_compiler; print(jitgrad.__file__); print(jitgrad_compiler.__file__)"


def run(code, folder, *paths):
    """What Python prints that is started in a folder with a path of its own, behind which the libraries are."""
    libraries = [p for p in sys.path if "site-packages" in p]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [*paths, *libraries]))}
    return subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False)


def installed(folder):
    """A folder with copies of both packages side by side, as pip installs them; the compiler's is broken."""
    for package, source in (("jitgrad", ROOT / "jitgrad"), ("jitgrad_compiler", ROOT / "compiler" / "jitgrad_compiler")):
        target = folder / package
        target.mkdir(parents=True)
        (target / "__init__.py").write_text("raise RuntimeError('another version')" if package == "jitgrad_compiler" else "")
        assert source.is_dir()
    return folder


def test_the_tests_are_those_of_this_clone():
    assert Path(jitgrad.__file__).parent == ROOT / "jitgrad"
    assert Path(jitgrad_compiler.__file__).parent == ROOT / "compiler" / "jitgrad_compiler"


def test_a_clone_takes_its_own_compiler_before_an_installed_one(tmp_path):
    done = run(SHOW, ROOT, installed(tmp_path / "site"))
    assert done.returncode == 0 and done.stdout.split() == [jitgrad.__file__, jitgrad_compiler.__file__], done.stderr


def test_a_compiler_from_elsewhere_is_refused(tmp_path):
    (tmp_path / "jitgrad_compiler").mkdir()
    (tmp_path / "jitgrad_compiler" / "__init__.py").write_text("")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import jitgrad_compiler; import jitgrad"
    done = run(code, ROOT)
    assert done.returncode == 1 and "ImportError: jitgrad is imported from" in done.stderr and str(tmp_path) in done.stderr


def test_a_clone_beside_a_script_does_not_shadow_the_package(tmp_path):
    """A folder without __init__.py is a namespace package, which comes behind regular packages on the path."""
    (tmp_path / "jitgrad" / "jitgrad").mkdir(parents=True)
    done = run(SHOW, tmp_path, ROOT)
    assert done.returncode == 0 and done.stdout.split() == [jitgrad.__file__, jitgrad_compiler.__file__], done.stderr


def test_an_editable_install_is_a_path_and_no_import_hook():
    """setuptools' hooks come behind the path, where such a folder has been found already."""
    assert "[editable_wheel]\nmode = compat" in (ROOT / "setup.cfg").read_text()
