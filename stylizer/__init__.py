"""A camera goes in, a person drawn in a style comes out."""

import os
import sys

# torch's idle threads would spin for the next job and take the cores from OpenVINO's: 21 ms instead of 18 for a
# drawing. Read when torch is loaded, hence here.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# `import openvino` would report itself to its makers from a process of its own. Without this module it does not.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
