"""Files that would do harm if they were opened as what they claim to be; each is written by ``write(kind, path)``.

Whatever runs creates ``path.with_name('created')``.
"""

import io
import json
import os
import pathlib
import pickle
import struct
import sys
import tarfile
import zipfile

import torch

STATE = {'fc.weight': torch.arange(6.0).reshape(2, 3), 'fc.bias': torch.tensor([1.0, 2.0])}


class Creates:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.open, (str(self.path), os.O_CREAT)


class CreatesWhenItsStateIsSet(dict):
    """Likewise, by the state setter that unpickling calls."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return CreatesWhenItsStateIsSet, (self.path,), dict(path=self.path)

    def __setstate__(self, state):
        pathlib.Path(state['path']).touch()


def created(path):
    return path.with_name('created')


def evil_in(place):
    """Put the object where ``place`` leads in what mmengine's Runner writes."""

    def write(path):
        content = dict(
            state_dict=dict(STATE), meta=dict(epoch=1, iter=1), message_hub=dict(log_scalars={}, runtime_info={})
        )
        inner = content
        for key in place[:-1]:
            inner = inner.setdefault(key, {})
        inner[place[-1]] = Creates(created(path))
        torch.save(content, path)

    return write


def instructions(text):
    """Write a pickle by hand, as the first of a file in torch's older format."""
    return lambda path: path.write_bytes(text.replace(b'CREATED', str(created(path)).encode()))


def in_archive(pickled, storage=b'\0' * 16, name='model/data.pkl', **options):
    """Write a pickle by hand into torch's zip format."""

    def write(path):
        with zipfile.ZipFile(path, 'w', **options) as archive:
            archive.writestr(name, pickled.replace(b'CREATED', str(created(path)).encode()))
            for part, content in (('byteorder', b'little'), ('data/0', storage), ('version', b'3\n')):
                archive.writestr(f'model/{part}', content)

    return write


REDUCE = b'\x80\x02cbuiltins\nexec\n(Vopen("CREATED", "w")\ntR.'
INST = b'\x80\x02(Vopen("CREATED", "w")\nibuiltins\nexec\n.'
OBJ = b'\x80\x02(cbuiltins\nexec\nVopen("CREATED", "w")\no.'


def called(module, name):
    """A class called with a size of a terabyte."""
    return b'\x80\x02c%b\n%b\n\x8a\x06\0\0\0\0\0\x01\x85R.' % (module.encode(), name.encode())


def tensor(numbers, shape, stride):
    """A pickle of a tensor that claims a shape, on a storage that claims so many numbers."""
    integer = lambda n: b'\x8a\x08' + n.to_bytes(8, 'little')  # noqa: E731
    return (
        b'\x80\x02}X\x01\x00\x00\x00actorch._utils\n_rebuild_tensor_v2\n('
        b'(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu'
        + integer(numbers) + b'tQK\x00' + integer(shape) + b'\x85' + integer(stride) + b'\x85\x89}tRs.'
    )  # fmt: skip


def endless_tuples(key):
    """Tuples that hold the one before twice, 60 deep; as the key of a dict, which has to be hashed."""
    nested = b'\x80\x02}N\x85q\x01' + b''.join(b'h%ch%c\x86q%c' % (n, n, n + 1) for n in range(1, 61))
    return nested + (b'K\x01s.' if key else b'.')


def endless_lists():
    """The same of lists, which are filled after they have been referred to."""
    empty = b''.join(b']q%c' % n for n in range(60))
    filled = b''.join(b'h%c(h%ch%ce' % (n, n + 1, n + 1) for n in range(59))
    return b'\x80\x02}X\x04\x00\x00\x00meta(' + empty + filled + b'ts.'


def holds_itself(path):
    loop = []
    loop.append(loop)
    torch.save(dict(state_dict=STATE, meta=dict(loop=loop)), path)


def nested_deeply(path):
    inner = {}
    for _ in range(200):
        inner = dict(inner=inner)
    torch.save(dict(state_dict=STATE, meta=inner), path)


def config_text(path):
    """mmengine's resume executes this text."""
    text = f'open({str(created(path))!r}, "w")'
    torch.save(dict(state_dict=STATE, optimizer={}, meta=dict(epoch=1, iter=1, config=text)), path)


def names_a_folder_as_best(path):
    hub = dict(log_scalars={}, runtime_info=dict(best_ckpt='/'), resumed_keys={})
    torch.save(dict(state_dict=STATE, meta=dict(epoch=1, iter=1), message_hub=hub), path)


def parts_of_other_types(path):
    torch.save(dict(state_dict=STATE, optimizer=[1], meta='text', message_hub=3), path)


def attributes(path):
    """A state dict with a method replaced."""
    state = torch.nn.Linear(1, 1).state_dict()
    state.copy = 1
    torch.save(state, path)


def torchscript(path):
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), path)


def old_tar(path):
    """torch's format before 0.1.10: a tar archive, which Python's unpickler reads."""
    with tarfile.open(path, 'w') as archive:
        for name in ('storages', 'tensors', 'pickle'):
            content = pickle.dumps(Creates(created(path)), protocol=2)
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def tar_that_starts_as_a_pickle(path):
    old_tar(path)
    content = path.read_bytes().replace(b'storages', b'\x80\x02orages', 1)
    header = bytearray(content[:512])
    header[148:156] = b' ' * 8
    header[148:156] = b'%06o\0 ' % sum(header)
    path.write_bytes(bytes(header) + content[512:])


def pickle_with_a_zip_behind(path):
    """torch reads the pickle in front, a zip reader the archive behind."""
    torch.save(STATE, path)
    path.write_bytes(REDUCE.replace(b'CREATED', str(created(path)).encode()) + path.read_bytes())


def safetensors(header, data=b'', length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return lambda path: path.write_bytes(struct.pack('<Q', length or len(text)) + text + data)


def entry(start, end, shape, dtype='F32'):
    return dict(dtype=dtype, shape=shape, data_offsets=[start, end])


def metadata_of_other_types(path):
    from safetensors.torch import save_file

    save_file(STATE, path, metadata=dict(dataset_meta='text', epoch='x'))


def keras_archive(weights=b'', **members):
    def write(path):
        with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
            archive.writestr('model.weights.h5', weights)
            for name, content in members.items():
                archive.writestr(name.replace('__', '.'), content.replace('CREATED', str(created(path))))

    return write


LAMBDA = json.dumps(
    dict(class_name='Lambda', module='keras.layers', config=dict(function=['open("CREATED", "w")', None, None]))
)


def h5(fill):
    def write(path):
        h5py = sys.modules['h5py']
        with h5py.File(path, 'w') as file:
            fill(h5py, file, path)

    return write


def h5_bomb(h5py, file, path):
    """A gigabyte of zeros, compressed; more numbers than any Inception V3 has."""
    file.create_dataset('conv2d/kernel:0', shape=(2**28,), dtype='f4', chunks=(2**20,), compression='gzip')


def h5_circle(h5py, file, path):
    group = file.create_group('conv2d')
    group['conv2d'] = group
    file['soft'] = h5py.SoftLink('/soft')
    file['outside'] = h5py.ExternalLink('/etc/passwd', '/')


# By what the message says after the name of the file.
HOSTILE = {
    # Pickles that run something.
    'reduce': (instructions(REDUCE), r'needs builtins\.exec'),
    'inst': (instructions(INST), r'needs builtins\.exec'),
    'obj': (instructions(OBJ), r'needs builtins\.exec'),
    'protocol 4': (lambda p: p.write_bytes(pickle.dumps(Creates(created(p)), 4)), r'needs posix\.open'),
    'protocol 5': (lambda p: torch.save(Creates(created(p)), p, pickle_protocol=5), r'needs posix\.open'),
    'build': (lambda p: torch.save(CreatesWhenItsStateIsSet(created(p)), p), r'needs hostile\.CreatesWhen'),
    'newobj': (lambda p: torch.save(pathlib.PurePosixPath('x'), p), r'needs pathlib\.PurePosixPath'),
    'old format': (lambda p: torch.save(Creates(created(p)), p, _use_new_zipfile_serialization=False), r'posix\.open'),
    'in the state dict': (evil_in(('state_dict', 'x')), r'needs posix\.open'),
    'in the message hub': (evil_in(('message_hub', 'runtime_info', 'x')), r'needs posix\.open'),
    'in the optimizer': (evil_in(('optimizer', 'state', 0)), r'needs posix\.open'),
    'in the metadata': (evil_in(('meta', 'dataset_meta')), r'needs posix\.open'),
    'in the EMA': (evil_in(('ema_state_dict', 'x')), r'needs posix\.open'),
    'persistent id': (in_archive(b'\x80\x02cbuiltins\nexec\n(Vopen("CREATED", "w")\ntRQ.'), r'needs builtins\.exec'),
    'persistent id of text': (in_archive(b'\x80\x02X\x01\x00\x00\x00aQ.'), 'persistent_load'),
    'odd case': (in_archive(REDUCE, name='model/DATA.PKL'), r'zip archive without weights|needs builtins\.exec'),
    'tensor class': (in_archive(called('torch', 'FloatTensor')), r'needs torch\.FloatTensor'),
    'bytearray': (in_archive(called('builtins', 'bytearray')), r'needs builtins\.bytearray'),
    'pickle before a zip': (pickle_with_a_zip_behind, r'needs builtins\.exec'),
    'torchscript': (torchscript, 'TorchScript archive'),
    'tar': (old_tar, 'is not a PyTorch'),
    'tar as a pickle': (tar_that_starts_as_a_pickle, 'damaged, truncated'),
    # Content that never ends, or is larger than the file.
    'storage of terabytes': (in_archive(tensor(2**40, 2**40, 1)), 'record size|damaged'),
    'tensor of terabytes': (in_archive(tensor(4, 2**40, 1)), 'damaged, truncated'),
    'repeated number': (in_archive(tensor(4, 2**40, 0)), 'claims 4,398,046,511,104 bytes'),
    'zip bomb': (
        in_archive(tensor(2**26, 2**26, 1), bytes(2**28), compression=zipfile.ZIP_DEFLATED), 'compressed or encrypted'
    ),
    'hash bomb': (in_archive(endless_tuples(key=True)), 'a value made of more than'),
    'nested tuples': (in_archive(endless_tuples(key=False)), 'a value made of more than'),
    'endless pickle': (in_archive(b'\x80\x02]' + b'K\x01a' * 2**22 + b'.'), 'more than 1,500,000 instructions'),
    'holds itself': (holds_itself, 'contains itself'),
    'nested deeply': (nested_deeply, 'nested more than 64 deep'),
    'attributes of a dict': (attributes, 'sets attributes of a dict: .*copy'),
    # Safetensors.
    'header of exabytes': (safetensors(b'{}', length=2**62), 'damaged'),
    'header of 90 MB': (safetensors(b'{}', length=90 * 2**20), 'damaged'),
    'offsets beyond the file': (safetensors(dict(a=entry(0, 4096, [1024])), bytes(16)), 'damaged'),
    'offsets that overlap': (safetensors(dict(a=entry(0, 16, [4]), b=entry(8, 24, [4])), bytes(24)), 'damaged'),
    'offsets backwards': (safetensors(dict(a=entry(16, 0, [4])), bytes(16)), 'damaged'),
    'another size': (safetensors(dict(a=entry(0, 16, [4], 'F64')), bytes(16)), 'damaged'),
    'size beyond 64 bits': (safetensors(dict(a=entry(0, 16, [2**40, 2**40])), bytes(16)), 'damaged'),
}  # fmt: skip
HOSTILE_KERAS = {
    'lambda': (keras_archive(b'no h5', config__json=LAMBDA), "not a file of Keras's weights"),
    'keras zip bomb': (keras_archive(bytes(2**29 + 1)), 'larger than any Inception V3'),
    'h5 bomb': (h5(h5_bomb), 'got 268,435,456'),
    'h5 circle': (h5(h5_circle), 'its groups are nested too deep'),
}
# What is read but for the part that would do harm when a run is resumed or a model is built.
HOSTILE_PARTS = {
    'best checkpoint': (names_a_folder_as_best, r"runtime_info\.best_ckpt: expected a \.pth file, got '/'"),
    'other types': (parts_of_other_types, 'optimizer: expected a dict, got a list'),
}


def write(kind, path):
    """Write a hostile file and return it."""
    {**HOSTILE, **HOSTILE_KERAS, **HOSTILE_PARTS}[kind][0](path)
    return path
