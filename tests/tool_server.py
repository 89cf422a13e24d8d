"""A process that has imported what the tools import, and forks a process for each tool to run.

Importing torch and mmpretrain takes longer than most tests of the tools. It reads a request a line from standard input,
as JSON, and answers each with the exit status.
"""

import json
import os
import runpy
import sys
from pathlib import Path

import mmpretrain_inception.apis
import mmpretrain_inception.cli  # noqa: F401


def main():
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            run(**request)
            return
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def run(tool, arguments, folder, out, err):
    """Do what ``python tool arguments`` does in a folder, with its output in two files."""
    for descriptor, path, flags in ((0, os.devnull, os.O_RDONLY), (1, out, os.O_WRONLY), (2, err, os.O_WRONLY)):
        opened = os.open(path, flags)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.chdir(folder)
    sys.argv = [tool, *arguments]
    sys.path[0] = str(Path(tool).parent)
    runpy.run_path(tool, run_name='__main__')


if __name__ == '__main__':
    main()
