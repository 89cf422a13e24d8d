"""Files on Hugging Face, from a server of the test that answers as Hugging Face does."""

import hashlib
import io
import os
import tempfile
from contextlib import suppress
from http.server import BaseHTTPRequestHandler

import pytest
import torch
from huggingface_hub import constants
from support import as_nobody, serving

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights import published
from mmpretrain_inception.weights.files import hugging_face as module
from mmpretrain_inception.weights.files import transfer
from mmpretrain_inception.weights.files.opener import fetch, open_weights


def weights():
    stream = io.BytesIO()
    torch.save({'a': torch.ones(50_000)}, stream)
    return stream.getvalue()


CONTENT = weights()
SHA256 = hashlib.sha256(CONTENT).hexdigest()
LOGIN_PAGE = b'<!DOCTYPE html><html><body>Please log in</body></html>'
ADDRESS = 'https://huggingface.co/timm/inception_v3.tf_in1k/resolve/main/model.safetensors'


class Server(BaseHTTPRequestHandler):
    """Serves one file; ``server.sent`` is what it sends, ``server.stated`` what it says of it."""

    def do_HEAD(self):
        # The library also asks for other things.
        if '/resolve/' in self.path:
            self.server.requests.append(self.path)
        if self.server.sent is None:
            self.send_error(404)
            return
        self.send_response(200)
        for name, value in self.server.stated.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()

    def do_GET(self):
        self.do_HEAD()
        with suppress(OSError):
            self.wfile.write(self.server.sent)
            if self.server.silent:
                self.server.stop.wait()

    def log_message(self, *arguments): ...


@pytest.fixture
def server(tmp_path, monkeypatch):
    """The server, in the place of Hugging Face; the cache is the test's own."""
    with serving(Server) as server:
        server.silent, server.sent = False, CONTENT
        server.stated = {'X-Repo-Commit': 'c' * 40, 'ETag': f'"{SHA256}"', 'Content-Length': str(len(CONTENT))}
        template = server.address + '/{repo_id}/resolve/{revision}/{filename}'
        monkeypatch.setattr(constants, 'HUGGINGFACE_CO_URL_TEMPLATE', template)
        monkeypatch.setattr(constants, 'ENDPOINT', server.address)
        monkeypatch.setattr(constants, 'HF_HUB_CACHE', str(tmp_path / 'hub'))
        yield server


def kept(tmp_path):
    """The files in the cache under their final names. Some versions of the library go on with unfinished ones."""
    files = [path for path in (tmp_path / 'hub').rglob('*') if path.is_file() and path.suffix != '.incomplete']
    return sorted(path.name for path in files if 'blobs' in path.parts or 'snapshots' in path.parts)


def test_a_file_is_downloaded_once_into_the_cache_of_hugging_face(server, tmp_path, capsys):
    assert open_weights('timm-tf').tensors['a'].tolist() == [1.0] * 50_000
    assert kept(tmp_path) == [SHA256, 'model.safetensors']
    assert server.requests[0] == '/timm/inception_v3.tf_in1k/resolve/main/model.safetensors'
    assert capsys.readouterr().err.splitlines()[0] == f'downloading timm-tf ({ADDRESS}) to {tmp_path}/hub'
    asked = len(server.requests)
    assert published.find('timm-tf').fetch() == fetch(ADDRESS)
    assert len(server.requests) == asked


@pytest.mark.parametrize(
    ('sent', 'stated', 'checksum', 'message'),
    [
        (LOGIN_PAGE, {}, '', 'cannot be downloaded: '),
        (LOGIN_PAGE, {'Content-Length': str(len(LOGIN_PAGE))}, '', 'got a web page instead of the file'),
        (CONTENT[:5000], {}, '', 'cannot be downloaded: '),
        (b'x' * len(CONTENT), {}, '', 'expected a sha256 that begins with '),
        (CONTENT, {}, f'sha256:{"0" * 64}', f'a sha256 that begins with 0000000000000000..., got {SHA256[:16]}'),
        (CONTENT, {'X-Repo-Commit': None}, '', 'cannot be downloaded: '),
        (LOGIN_PAGE, {'ETag': '"x"', 'Content-Length': str(len(LOGIN_PAGE))}, '', 'is not a PyTorch .* file'),
        (None, {}, '', 'cannot be downloaded: .*404'),
    ],
    ids=['page', 'page of its length', 'truncated', 'other bytes', 'other file', 'no hub', 'no sha256', 'missing'],
)
def test_what_is_not_the_file_is_refused_and_not_kept(
    server, tmp_path, monkeypatch, published_at, sent, stated, checksum, message
):
    published_at(ADDRESS, checksum, name='timm-tf')
    server.sent = sent
    server.stated |= stated
    monkeypatch.setattr('time.sleep', lambda seconds: None)
    with pytest.raises(InputError, match=message) as error:
        open_weights('timm-tf')
    assert len(str(error.value).splitlines()) <= 2
    # What is intact stays: it is of use to others, who expect no checksum.
    assert kept(tmp_path) == ([SHA256, 'model.safetensors'] if checksum else [])


def test_a_server_that_falls_silent_is_given_up(server, tmp_path, monkeypatch):
    server.silent, server.sent = True, CONTENT[:5000]
    monkeypatch.setattr(module, '_PERIOD', 0.5)
    with pytest.raises(InputError, match=r'the server sent less than 65,536 bytes in 0\.5 seconds'):
        fetch(ADDRESS)
    assert kept(tmp_path) == []


def test_a_file_that_is_too_large_is_given_up(server, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, 'MAX_BYTES', 100_000)
    with pytest.raises(InputError, match='expected at most 100,000 bytes, got more'):
        fetch(ADDRESS)
    assert kept(tmp_path) == []


@pytest.mark.parametrize('offline', [True, False], ids=['HF_HUB_OFFLINE', 'no connection'])
def test_without_a_connection_two_lines_say_what_to_do(tmp_path, monkeypatch, offline):
    monkeypatch.setattr(constants, 'HF_HUB_CACHE', str(tmp_path / 'hub'))
    monkeypatch.setattr(constants, 'HF_HUB_OFFLINE', offline)
    monkeypatch.setattr('time.sleep', lambda seconds: None)
    monkeypatch.setattr(constants, 'HUGGINGFACE_CO_URL_TEMPLATE', 'http://127.0.0.1:1/{repo_id}/{revision}/{filename}')
    with pytest.raises(InputError) as error:
        open_weights('timm-tf')
    first, second = str(error.value).splitlines()
    assert first.startswith(f'timm-tf ({ADDRESS}) cannot be downloaded: ')
    assert first.endswith('HF_HUB_OFFLINE is set') == offline
    assert second == (
        'pass the path of a file instead, or set HF_HOME to a cache folder that has it, '
        'or train from scratch with --weights none'
    )


def test_a_cache_that_cannot_be_written_is_named(server, monkeypatch):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        monkeypatch.setattr(constants, 'HF_HUB_CACHE', f'{folder}/hub')
        monkeypatch.setattr(constants, 'HF_TOKEN_PATH', f'{folder}/token')
        message = as_nobody(lambda: open_weights('timm-tf'))
    assert message.splitlines() == [
        f'timm-tf ({ADDRESS}) cannot be kept as {folder}/hub: Permission denied',
        'set HF_HOME to a folder that can be written, or download the file and pass its path',
    ]


def test_processes_that_start_together_download_once(server, tmp_path):
    processes = []
    for _ in range(8):
        process = os.fork()
        if not process:
            os._exit(0 if fetch(ADDRESS).read_bytes() == CONTENT else 1)
        processes.append(process)
    assert [os.waitpid(process, 0)[1] for process in processes] == [0] * 8
    # Each of the library's downloads asks about the file first.
    assert len(server.requests) == 2
