"""Which version a Java is, asked by the launcher and by the doctor."""

import re
import subprocess
from pathlib import Path

# The oldest major version that Spark runs on.
OLDEST = 17


def version(java: Path) -> int:
    """The major version that the executable `java` reports; 0 when it does not run."""
    try:
        done = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r'version "(?:1\.)?(\d+)', done.stderr + done.stdout)
    return int(found.group(1)) if found and done.returncode == 0 else 0
