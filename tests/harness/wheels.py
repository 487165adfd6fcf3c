"""The two wheels, built from a copy of the tree, and new environments in which to install them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.harness.processes import REPO, clean_env

INSTALL_SECONDS = 600  # deadlines for a machine that does much else
START_SECONDS = 180


def _run(*command: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class Wheels:
    """The files: of the library, and of the service."""

    library: Path
    service: Path


def build(folder: Path) -> Wheels:
    """Build both as `make wheels` does, from the files that git tracks."""
    source = folder / "source"
    listed = _run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=REPO)
    for name in listed.splitlines():
        if (REPO / name).is_file() and not name.startswith(("tests/", "bench/", "docs/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPO / name, source / name)
    _run(
        sys.executable, "-m", "pip", "--quiet", "wheel", "--no-deps", "--no-build-isolation",
        "--wheel-dir", str(folder), "./notifier", ".", cwd=source,
    )  # fmt: skip
    (library,) = folder.glob("live_notifications-*.whl")
    (service,) = folder.glob("live_notifications_service-*.whl")
    return Wheels(library, service)


@dataclass(frozen=True)
class Environment:
    """A virtual environment."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, *wanted: str) -> Environment:
        """Create one and install packages in it, in the versions of requirements/dev.txt."""
        _run(sys.executable, "-m", "venv", "--without-pip", str(folder), cwd=folder.parent)
        pins = re.findall(
            r"^([\w.-]+==[^\\\n]+)", (REPO / "requirements" / "dev.txt").read_text(), re.MULTILINE
        )
        constraints = folder / "constraints.txt"
        constraints.write_text("\n".join(pins))
        environment = cls(folder)
        _run(
            sys.executable, "-m", "pip", "--python", str(environment.python), "--quiet", "install",
            "--only-binary", ":all:", "--no-compile", "--constraint", str(constraints), *wanted, cwd=folder,
        )  # fmt: skip
        return environment

    @property
    def python(self) -> Path:
        """The interpreter."""
        return self.folder / "bin" / "python"

    def command(self, name: str) -> str:
        """The path of an installed command."""
        return str(self.folder / "bin" / name)

    def run(self, program: str, *, cwd: Path, env: dict[str, str] | None = None) -> str:
        """Run a Python program as its file in `cwd` would run; return its output."""
        return _run(str(self.python), "-c", program, cwd=cwd, env=clean_env(env))

    def installed(self) -> set[str]:
        """Return the names of the installed distributions."""
        code = "import importlib.metadata as m; print(*{d.name for d in m.distributions()}, sep='\\n')"
        return {name.lower().replace("_", "-") for name in self.run(code, cwd=self.folder).split()}
