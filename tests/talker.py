"""A tool that logs and prints 300 long lines, more than a pipe holds, and fails at the end."""

from mmengine.logging import MMLogger

from mmpretrain_inception.cli import run_tool
from mmpretrain_inception.errors import InputError


def talk():
    logger = MMLogger.get_instance('talker', log_file='talker.log')
    for number in range(300):
        logger.info(f'{number} ' + 200 * 'x')
        print(number, 200 * 'y', flush=True)
    raise InputError('the end')


if __name__ == '__main__':
    run_tool(talk)
