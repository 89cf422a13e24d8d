"""Run the tool named on the command line with --help, and say whether torch was imported."""

import runpy
import sys
from pathlib import Path

tools = Path(__file__).parents[2] / 'tools'
sys.path.insert(0, str(tools))
name = sys.argv[1]
sys.argv = [name, '--help']
try:
    runpy.run_path(str(tools / name), run_name='__main__')
except SystemExit:
    print('torch imported:', 'torch' in sys.modules)
