"""Files that are small, but would take minutes or gigabytes: refused at once."""

import contextlib
import io
import os
import resource
import struct
import time
import zipfile
import zlib

import numpy as np
import pytest
import torch
from hostile import STATE, in_archive

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights.files.opener import open_weights
from mmpretrain_inception.weights.files.rebuilt import RebuiltArchive

META = b'\x80\x02}X\x04\x00\x00\x00meta'
# Python hashes integers and floats modulo this prime.
PRIME = 2**61 - 1


def integer(number):
    content = number.to_bytes(number.bit_length() // 8 + 1, 'little')
    return b'\x8a' + bytes([len(content)]) + content


COLLIDING = [integer(position * PRIME + 1) for position in range(60_000)]
SMALL = b''.join(b'J' + struct.pack('<i', number) + b'N' for number in range(19_000))
TEXT = b'X' + struct.pack('<I', 10**7) + b'a' * 10**7 + b'q\x01'
PICKLES = {
    'integers': (b'}(' + b''.join(key + b'N' for key in COLLIDING) + b'us.', 'integers or 1,000 other'),
    'floats': (
        b'}(' + b''.join(b'G' + struct.pack('>d', 2.0**61 * n) + b'N' for n in range(60_000)) + b'us.',
        'integers or 1,000 other',
    ),
    'tuples': (b'}(' + b''.join(key + b'\x85N' for key in COLLIDING) + b'us.', 'integers or 1,000 other'),
    'a set': (b'c__builtin__\nset\n](' + b''.join(COLLIDING) + b'e\x85Rs.', 'integers or 1,000 other'),
    'a set of a list that is filled later': (
        b'(]q\x01\x85q\x02h\x01(' + b''.join(COLLIDING) + b'ec__builtin__\nset\nh\x02Rts.',
        'integers or 1,000 other',
    ),
    'a dict copied again and again': (
        b'(}q\x01(' + SMALL + b'u' + b'ccollections\nCounter\nh\x01\x85R' * 1000 + b'ts.',
        'integers or 1,000 other',
    ),
    'a text encoded again and again': (
        b'(' + TEXT + b'c_codecs\nencode\nh\x01X\x06\0\0\0latin1\x86R' * 20_000 + b'ts.',
        'a value made of more than',
    ),
    'a quadratic encoding': (
        b'c_codecs\nencode\nX\x01\0\0\0aX\x08\0\0\0punycode\x86Rs.',
        'another encoding than latin1',
    ),
    'decimal digits': (b'I' + b'9' * 5_000_000 + b'\ns.', 'the instruction INT'),
    'a huge integer': (b'\x8b' + struct.pack('<i', 10**6) + b'\x01' * 10**6 + b's.', 'integer of more than 1,024 bits'),
}


@pytest.fixture
def refused(tmp_path):
    """Open a file that has to be refused, in seconds and without much memory."""

    def check(path, message):
        memory, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        with pytest.raises(InputError, match=message) as error:
            open_weights(path)
        assert '\n' not in str(error.value)
        assert time.process_time() - start < 5
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 200_000

    return check


@pytest.mark.parametrize('kind', PICKLES)
def test_pickles_that_cost_more_than_they_show(tmp_path, refused, kind):
    pickled, message = PICKLES[kind]
    in_archive(META + pickled)(tmp_path / 'a.pth')
    refused(tmp_path / 'a.pth', message)


def chunk_of_a_gigabyte(file):
    file.create_dataset('conv2d/kernel:0', data=np.ones(10, 'f4'), maxshape=(None,), chunks=(2**28,), compression=1)


def inflates_beyond_its_chunk(file):
    dataset = file.create_dataset('conv2d/kernel:0', (1000,), 'f4', chunks=(1000,), compression='gzip')
    dataset.id.write_direct_chunk((0,), zlib.compress(bytes(2**29)))


def nested(file):
    for _ in range(2000):
        file = file.create_group('a')


@pytest.mark.parametrize(
    ('fill', 'message'),
    [
        (chunk_of_a_gigabyte, '40 bytes of numbers in 1 chunks of 1,073,741,824'),
        (inflates_beyond_its_chunk, 'a chunk does not have 4,000 bytes'),
        (lambda file: file.create_dataset('conv2d/kernel:0', (2**26,), 'f4'), 'numbers that were never written'),
        (lambda file: file.create_dataset('conv2d/kernel:0', (2**24,), 'f4', chunks=(1,)), '16,777,216 chunks of 4'),
        (lambda file: file.create_dataset('conv2d/kernel:0', data=np.ones(9, 'f4'), scaleoffset=2), r'filters \(6,\)'),
        (lambda file: [file.create_group(f'{number}') for number in range(21_000)], 'at most 20,000 groups'),
        (nested, 'nested too deep'),
    ],
)
def test_hdf5_files_that_cost_more_than_they_show(tmp_path, refused, fill, message):
    h5py = pytest.importorskip('h5py')
    with h5py.File(tmp_path / 'a.h5', 'w') as file:
        fill(file)
    refused(tmp_path / 'a.h5', message)


def test_compressed_hdf5_that_is_what_it_says_is_read(tmp_path):
    h5py = pytest.importorskip('h5py')
    numbers = np.random.default_rng(0).random((7, 5)).astype('f4')
    with h5py.File(tmp_path / 'a.h5', 'w') as file:
        file.create_dataset('dense/kernel:0', data=numbers, compression='gzip', shuffle=True, fletcher32=True)
    assert np.array_equal(open_weights(tmp_path / 'a.h5').tensors['dense.0.kernel'].T, numbers)


def many_members(path):
    with zipfile.ZipFile(path, 'w') as archive:
        for number in range(100_000):
            archive.writestr(str(number), '')


@pytest.mark.parametrize(
    ('write', 'message'),
    [
        (many_members, 'its directory has .* bytes'),
        (os.mkfifo, 'not a regular file'),
        (lambda path: path.symlink_to('/dev/zero'), 'not a regular file'),
        (lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 5 * 2**30), 'expected a file of at most'),
    ],
)
def test_files_that_would_be_read_without_end(tmp_path, refused, write, message):
    write(tmp_path / 'a.pth')
    refused(tmp_path / 'a.pth', message)


def test_a_flipped_bit_is_found(tmp_path):
    torch.save(dict(a=torch.ones(5000)), tmp_path / 'a.pth')
    content = bytearray((tmp_path / 'a.pth').read_bytes())
    content[content.index(struct.pack('<f', 1) * 100) + 50] ^= 1
    (tmp_path / 'a.pth').write_bytes(content)
    with pytest.raises(InputError, match=r'is damaged or truncated \(Bad CRC-32'):
        open_weights(tmp_path / 'a.pth')


def test_torch_reads_an_archive_that_is_made_from_what_zipfile_found(tmp_path):
    """Behind the end of the first archive stands a second one; what torch finds there does not matter."""
    torch.save(STATE, tmp_path / 'a.pth')
    with zipfile.ZipFile(tmp_path / 'a.pth') as archive:
        rebuilt = RebuiltArchive(archive, {name: name for name in archive.namelist()})
        copied = io.BytesIO(rebuilt.read())
        with zipfile.ZipFile(copied) as copy:
            assert copy.testzip() is None
            assert {name: copy.read(name) for name in copy.namelist()} == {
                name: archive.read(name) for name in archive.namelist()
            }


def with_two_directories(path, shown, hidden):
    """Write a zip64 archive of two checkpoints, each with a directory and an end record of its own.

    The locator names the end record of ``hidden``, and directly before it stands that of ``shown``: zipfile up to
    Python 3.13 looks there, and torch follows the locator.
    """
    archives = {}
    with zipfile.ZipFile(path, 'w') as both:
        for name, content in (('shown', shown), ('hidden', hidden)):
            stream = io.BytesIO()
            torch.save(content, stream)
            with zipfile.ZipFile(stream) as archive:
                archives[name] = archive.namelist()
                for member in archives[name]:
                    both.writestr(f'{name}/{member.partition("/")[2]}', archive.read(member))
        start = both.start_dir
    content = path.read_bytes()
    position, directories = start, {}
    for name, members in archives.items():
        begin = position
        for _ in members:
            position += 46 + sum(struct.unpack_from('<3H', content, position + 28))
        directories[name] = (len(members), position - begin, begin)
    ends = [
        struct.pack('<4sQ2H2L4Q', b'PK\x06\x06', 44, 45, 45, 0, 0, count, count, size, offset)
        for count, size, offset in (directories['hidden'], directories['shown'])
    ]
    locator = struct.pack('<4sLQL', b'PK\x06\x07', 0, position, 1)
    end = struct.pack('<4s4H2LH', b'PK\x05\x06', 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(content[:position] + b''.join(ends) + locator + end)


def test_what_is_loaded_from_an_archive_with_two_directories_is_what_was_checked(tmp_path):
    path = tmp_path / 'a.pth'
    with_two_directories(path, STATE, {'hidden': torch.zeros(3)})
    assert list(torch.load(path, weights_only=True)) == ['hidden']
    # Newer versions of zipfile compare the locator with what they find, and refuse the file.
    with contextlib.suppress(InputError):
        assert open_weights(path).tensors.keys() == STATE.keys()


def test_a_file_that_is_replaced_between_two_steps_stays_what_it_was(tmp_path):
    torch.save(STATE, tmp_path / 'a.pth')
    kept = open_weights(tmp_path / 'a.pth', keep=True)
    torch.save({'other': torch.zeros(1)}, tmp_path / 'a.pth')
    assert open_weights(tmp_path / 'a.pth') is kept
    assert list(open_weights(tmp_path / 'a.pth').tensors) == ['other']
