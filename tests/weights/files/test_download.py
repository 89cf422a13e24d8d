"""Downloads from servers that behave, and from servers that do not."""

import hashlib
import io
import os
import tempfile
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import torch
from support import as_nobody, serving

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights.files import download as module
from mmpretrain_inception.weights.files import transfer
from mmpretrain_inception.weights.files.opener import open_weights


def weights(value=1.0):
    stream = io.BytesIO()
    torch.save({'a': torch.full((50_000,), value)}, stream)
    return stream.getvalue()


CONTENT = weights()
DIGITS = hashlib.sha256(CONTENT).hexdigest()[:8]
LOGIN_PAGE = b'<!DOCTYPE html><html><body>Please log in</body></html>'


class Server(BaseHTTPRequestHandler):
    """Answers by the first part of the path."""

    def do_GET(self):
        self.server.requests.append(self.path)
        with suppress(OSError):  # the client gives up
            getattr(self, self.path.split('/')[1])()

    def answer(self, content, length=None, status=200, **headers):
        self.send_response(status)
        if length is not None:
            self.send_header('Content-Length', str(length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def right(self):
        self.answer(CONTENT, len(CONTENT))

    def without_length(self):
        self.answer(CONTENT)

    def login_page(self):
        self.answer(LOGIN_PAGE, len(LOGIN_PAGE))

    def truncated(self):
        self.answer(CONTENT[:5000], len(CONTENT))

    def truncated_without_length(self):
        self.answer(CONTENT[:5000])

    def missing(self):
        self.send_error(404)

    def failing_once(self):
        self.right() if len(self.server.requests) > 1 else self.send_error(503)

    def truncated_once(self):
        self.right() if len(self.server.requests) > 1 else self.truncated()

    def silent(self):
        self.server.stop.wait()

    def silent_after_some(self):
        self.answer(CONTENT[:5000], len(CONTENT))
        self.server.stop.wait()

    def byte_by_byte(self):
        self.answer(b'', len(CONTENT))
        while not self.server.stop.wait(0.05):
            self.wfile.write(b'x')

    def header_byte_by_byte(self):
        self.wfile.write(b'HTTP/1.0 200 OK\r\nX: ')
        while not self.server.stop.wait(0.05):
            self.wfile.write(b'x')

    def endless(self):
        self.answer(b'')
        while not self.server.stop.is_set():
            self.wfile.write(bytes(2**16))

    def bomb(self):
        import gzip

        self.answer(gzip.compress(bytes(50_000_000)), **{'Content-Encoding': 'gzip'})

    def redirected(self):
        self.answer(b'', 0, 302, Location=f'/right/{self.path.split("/")[-1]}')

    def redirected_for_ever(self):
        self.answer(b'', 0, 302, Location=self.path)

    def redirected_to_a_file(self):
        self.answer(b'', 0, 302, Location='file:///etc/passwd')

    def slow(self):
        self.send_response(200)
        self.send_header('Content-Length', str(len(CONTENT)))
        self.end_headers()
        for start in range(0, len(CONTENT), 50_000):
            self.wfile.write(CONTENT[start : start + 50_000])
            time.sleep(0.2)

    def log_message(self, *arguments): ...


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server of this process; the downloads of this test are in a cache of its own, and fail fast."""
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    monkeypatch.setattr(module, '_PAUSE', 0.0)
    with serving(Server) as server:
        yield server


def kept(tmp_path):
    """The files in the cache that look like weights, or like the remains of a download."""
    return [path.name for path in (tmp_path / 'hub').rglob('*') if path.is_file() and path.suffix != '.lock']


@pytest.mark.parametrize('kind', ['right', 'without_length', 'redirected', 'failing_once', 'truncated_once'])
@pytest.mark.parametrize('name', [f'weights-{DIGITS}.pth', 'weights.pth', 'weights.pth?download=true'])
def test_a_file_is_downloaded_once(server, tmp_path, kind, name):
    address = f'{server.address}/{kind}/{name}'
    assert open_weights(address).tensors['a'].tolist() == [1.0] * 50_000
    server.shutdown()
    assert open_weights(address).tensors['a'][0] == 1
    assert kept(tmp_path) == [name.partition('?')[0]]


def test_files_of_one_name_at_two_addresses_are_two(server, tmp_path):
    for kind in ('right', 'without_length'):
        open_weights(f'{server.address}/{kind}/model.pth')
    assert kept(tmp_path) == ['model.pth', 'model.pth']


@pytest.mark.parametrize(
    ('path', 'message', 'attempts'),
    [
        ('right/weights-0cc3c7bd.pth', f'expected a sha256 that begins with 0cc3c7bd, got {DIGITS}', 1),
        ('truncated/w.pth', r'the connection ended before the file was complete \(3 attempts\)', 3),
        (f'truncated/w-{DIGITS}.pth', 'the connection ended before the file was complete', 3),
        ('truncated_without_length/w.pth', 'is damaged or truncated', 1),
        (f'truncated_without_length/w-{DIGITS}.pth', 'expected a sha256 that begins with', 1),
        ('login_page/w.pth', r"is not a PyTorch .* file: it starts with b'<!DOCTYPE", 1),
        (f'login_page/w-{DIGITS}.pth', 'got a web page instead of the file', 1),
        ('missing/w.pth', 'the server answered 404 Not Found', 1),
        ('redirected_for_ever/w.pth', 'Exceeded 30 redirects', 31),
        ('redirected_to_a_file/w.pth', 'No connection adapters', 1),
    ],
)
def test_what_is_no_file_of_weights_is_refused_and_not_kept(server, tmp_path, path, message, attempts):
    address = f'{server.address}/{path}'
    with pytest.raises(InputError, match=message) as error:
        open_weights(address)
    assert str(error.value).startswith(address)
    assert len(str(error.value).splitlines()) <= 2
    assert kept(tmp_path) == []
    assert len(server.requests) == attempts


@pytest.mark.parametrize(
    ('checksum', 'message'),
    [
        (f'sha256:{DIGITS}', None),
        (f'sha256:{hashlib.sha256(CONTENT).hexdigest()}', None),
        (f'md5:{hashlib.md5(CONTENT).hexdigest()}', None),
        ('sha256:0cc3c7bd', f'expected a sha256 that begins with 0cc3c7bd, got {DIGITS}'),
        (f'sha256:{"0" * 64}', f'expected a sha256 that begins with 0000000000000000..., got {DIGITS}'),
        (f'md5:{"0" * 32}', 'expected a md5 that begins with 0000000000000000..., got '),
    ],
    ids=['digits', 'sha256', 'md5', 'other digits', 'other sha256', 'other md5'],
)
def test_the_table_of_published_weights_says_what_is_right(server, tmp_path, published_at, checksum, message):
    published_at(f'{server.address}/right/w.h5', checksum)
    if message is None:
        assert open_weights('torchvision').tensors['a'][0] == 1
        assert kept(tmp_path) == ['w.h5']
        return
    with pytest.raises(InputError) as error:
        open_weights('torchvision')
    first, second = str(error.value).splitlines()
    assert first.startswith(f'torchvision ({server.address}/right/w.h5) cannot be downloaded: {message}')
    folder = module._cached(f'{server.address}/right/w.h5').parent
    assert second == (
        f'pass the path of a file instead, or put it into {folder} (TORCH_HOME), '
        'or train from scratch with --weights none'
    )
    assert kept(tmp_path) == []


def test_another_file_in_the_cache_is_refused(server, tmp_path):
    address = f'{server.address}/right/w-{DIGITS}.pth'
    module._cached(address).parent.mkdir(parents=True)
    module._cached(address).write_bytes(LOGIN_PAGE)
    with pytest.raises(InputError, match=rf'w-{DIGITS}\.pth: got a web page .*\ndelete it, and it is downloaded again'):
        open_weights(address)
    assert server.requests == []


def test_without_a_connection_two_lines_say_what_to_do(tmp_path, monkeypatch, published_at):
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    monkeypatch.setattr(module, '_PAUSE', 0.0)
    published_at('https://nowhere.invalid/w-0cc3c7bd.pth', 'sha256:0cc3c7bd')
    with pytest.raises(InputError) as error:
        open_weights('torchvision')
    assert str(error.value).splitlines() == [
        'torchvision (https://nowhere.invalid/w-0cc3c7bd.pth) cannot be downloaded: '
        'its server is not known (no connection to the internet?) (3 attempts)',
        f'pass the path of a file instead, or put it into {tmp_path}/hub/checkpoints (TORCH_HOME), '
        'or train from scratch with --weights none',
    ]


@pytest.mark.parametrize('kind', ['silent', 'silent_after_some', 'byte_by_byte', 'header_byte_by_byte'])
def test_a_server_that_stalls_is_given_up(server, tmp_path, monkeypatch, kind):
    monkeypatch.setattr(module, 'TIMEOUT', (0.5, 0.5))
    monkeypatch.setattr(transfer, 'PERIOD', 0.7)
    monkeypatch.setattr(module, 'ATTEMPTS', 2)
    start = time.monotonic()
    with pytest.raises(InputError, match=r'cannot be downloaded: the server sent (nothing|less than) .*\(2 attempts\)'):
        open_weights(f'{server.address}/{kind}/w.pth')
    assert time.monotonic() - start < 10
    assert kept(tmp_path) == []


@pytest.mark.parametrize('kind', ['endless', 'bomb'])
def test_a_file_without_end_is_given_up(server, tmp_path, monkeypatch, kind):
    monkeypatch.setattr(transfer, 'MAX_BYTES', 10_000_000)
    with pytest.raises(InputError, match='expected at most 10,000,000 bytes, got more'):
        open_weights(f'{server.address}/{kind}/w.pth')
    assert kept(tmp_path) == []


@pytest.mark.parametrize('address', ['http://127.0.0.1:1/w.pth', 'http://[::1/w.pth', 'https:///w.pth', 'http://'])
def test_an_address_without_a_server_is_refused(server, tmp_path, address):
    with pytest.raises(InputError, match='cannot be downloaded') as error:
        open_weights(address)
    assert len(str(error.value).splitlines()) <= 2
    assert kept(tmp_path) == []


def test_a_cache_that_cannot_be_written_is_named(server, monkeypatch):
    with tempfile.TemporaryDirectory() as folder:
        hub = Path(folder, 'hub')
        hub.mkdir(mode=0o555)
        os.chmod(folder, 0o755)
        monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(hub))
        message = as_nobody(lambda: open_weights(f'{server.address}/right/w.pth'))
    first, second = message.splitlines()
    assert first.endswith(
        f'/w.pth cannot be kept as {module._cached(server.address + "/right/w.pth")}: Permission denied'
    )
    assert second == 'set TORCH_HOME to a folder that can be written, or download the file and pass its path'


@pytest.mark.parametrize('place', ['hub', 'hub/checkpoints'])
def test_a_file_in_the_place_of_the_cache_is_named(server, tmp_path, place):
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).touch()
    with pytest.raises(InputError, match=r'cannot be kept as .*hub.*: .*\nset TORCH_HOME'):
        open_weights(f'{server.address}/right/w.pth')


def test_processes_that_start_together_download_once(server, tmp_path):
    """Each of them gets the whole file, and the server is asked once."""
    processes = []
    for _ in range(8):
        process = os.fork()
        if not process:
            path = module.download(f'{server.address}/slow/w.pth', check=lambda path: None)
            os._exit(0 if path.read_bytes() == CONTENT else 1)
        processes.append(process)
    assert [os.waitpid(process, 0)[1] for process in processes] == [0] * 8
    assert len(server.requests) == 1


def test_what_a_killed_download_left_is_removed(server, tmp_path):
    target = module._cached(f'{server.address}/right/w.pth')
    target.parent.mkdir(parents=True)
    (target.parent / '.w.pth.999999999.part').touch()
    os.utime(target.parent / '.w.pth.999999999.part', (0, 0))
    open_weights(f'{server.address}/right/w.pth')
    assert kept(tmp_path) == ['w.pth']


def test_a_damaged_file_in_the_cache_is_named(server, tmp_path):
    address = f'{server.address}/right/w.pth'
    open_weights(address)
    module._cached(address).write_bytes(CONTENT[:1000])
    with pytest.raises(InputError, match=r'right/w\.pth \(kept as .*w\.pth\) is damaged'):
        open_weights(address)
