"""docs/configuration.md says what the servers say."""

import os
import pathlib
import subprocess
import sys

script = pathlib.Path(os.environ["KVS_SOURCE"]) / "docs" / "update_configuration.py"
sys.exit(subprocess.run([sys.executable, str(script), "--check", os.environ["KVS_BIN"]], check=False).returncode)
