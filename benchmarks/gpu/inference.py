"""Steps that compute logits, test, predict, export and extract features."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.gpu.settings import DIGITS, REPOSITORY, LeftOutError, Settings, build_classifier, expect, expect_close
from benchmarks.gpu.settings import prepare as prepare_files
from mmpretrain_inception.apis import ExportOptions, TestOptions, evaluate, export
from mmpretrain_inception.deploy.extras import import_extra
from mmpretrain_inception.errors import InputError

_CROSS_ENTROPY = 'single-label/cross_entropy'
# Differences as shares of the largest value. TensorFloat-32 and bfloat16 have 10 and 7 bits after the first.
_FP32, _TF32, _BF16 = 1e-4, 1e-2, 0.1
_FID = str(REPOSITORY / 'configs/inception_v3/inception-v3_pytorch-fid_fid.py')


def same_as_on_the_cpu(settings: Settings) -> dict[str, Any]:
    """Compare logits with those of the CPU: in float32, with TensorFloat-32 and in bfloat16."""
    model = build_classifier().eval()
    images = torch.randn(8, 3, 75, 75, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = model(images)
    model.to(settings.device)
    found = {}
    for name, share in (('float32', _FP32), ('TensorFloat-32', _TF32), ('bfloat16', _BF16)):
        torch.backends.cudnn.allow_tf32 = name != 'float32'
        with torch.no_grad(), torch.autocast(settings.device, torch.bfloat16, enabled=name == 'bfloat16'):
            found[name] = expect_close(model(images.to(settings.device)), expected, share, name)
    return found


def tested(settings: Settings) -> dict[str, Any]:
    """Test a checkpoint in each form, and compare the cross entropies."""
    checkpoint = prepare_files(settings)
    expected = _cross_entropy(settings, checkpoint, 'plain')
    forms: dict[str, tuple[float, dict[str, bool]]] = {
        '--deploy': (_TF32, dict(deploy=True)),
        '--amp': (_BF16, dict(amp=True)),
        '--deploy --amp': (_BF16, dict(deploy=True, amp=True)),
        '--tta': (1.0, dict(tta=True)),
    }
    for name, (share, options) in forms.items():
        expect_close(_cross_entropy(settings, checkpoint, name.replace(' ', ''), **options), expected, share, name)
    return {'cross entropy': round(expected, 4), 'also': ', '.join(forms)}


def tested_compiled(settings: Settings) -> dict[str, Any]:
    """Test a checkpoint with a compiled backbone."""
    checkpoint = prepare_files(settings)
    expected = _cross_entropy(settings, checkpoint, 'plain')
    compiled = {'compile': dict(backend=settings.compiler)}
    found = _cross_entropy(settings, checkpoint, 'compiled', cfg_options={**settings.digits, **compiled})
    return {'difference': expect_close(found, expected, _TF32, 'compiled'), 'compiler': settings.compiler}


def predicted(settings: Settings) -> dict[str, Any]:
    """Predict image files by mmpretrain's inferencer, and compare with the CPU."""
    from mmpretrain import ImageClassificationInferencer

    checkpoint = prepare_files(settings)
    files = sorted(map(str, Path(settings.folder, 'digits/val').glob('*/*.png')))[::40]
    scores = [
        [
            result['pred_scores']
            for result in ImageClassificationInferencer(DIGITS, pretrained=checkpoint, device=device)(files)
        ]
        for device in (settings.device, 'cpu')
    ]
    difference = expect_close(np.array(scores[0]), np.array(scores[1]), _TF32, 'scores')
    return {'images': len(files), 'difference from the CPU': difference}


def exported_to_onnx(settings: Settings) -> dict[str, Any]:
    """Export to ONNX, test the file, and run it by the CUDA provider where ONNX Runtime has it."""
    file = _exported(settings, 'onnx', 'model.onnx')
    found = _test_file(settings, file)
    runtime = import_extra('onnxruntime')
    if 'CUDAExecutionProvider' not in runtime.get_available_providers():
        return {**found, 'CUDA provider': 'not installed, not tried'}
    if not settings.on_gpu:
        return {**found, 'CUDA provider': 'not tried'}
    if hasattr(runtime, 'preload_dlls'):
        runtime.preload_dlls()
    images = np.random.default_rng(0).standard_normal((8, 3, 75, 75), dtype=np.float32)
    logits = []
    for provider in ('CUDAExecutionProvider', 'CPUExecutionProvider'):
        session = runtime.InferenceSession(file, providers=[provider])
        expect(session.get_providers()[0] == provider, f'ONNX Runtime: expected {provider}, got another one')
        logits.append(session.run(None, {session.get_inputs()[0].name: images})[0])
    difference = expect_close(logits[0], logits[1], _TF32, 'CUDA provider')
    return {**found, 'difference of the CUDA provider from the CPU': difference}


def exported_to_pytorch(settings: Settings) -> dict[str, Any]:
    """Export to a .pt2 and test the file, which computes on the CPU, where the annotations are on the GPU."""
    return _test_file(settings, _exported(settings, 'torch', 'model.pt2'))


def fid_features(settings: Settings) -> dict[str, Any]:
    """Load a file with the names of the FID weights, and compare features with the CPU's and pytorch-fid's."""
    from mmpretrain import FeatureExtractor
    from torchvision.models import inception_v3

    weights = Path(settings.folder, 'fid.pth')
    state = inception_v3(num_classes=1008, aux_logits=False, init_weights=False).state_dict()
    generator = torch.Generator().manual_seed(0)
    for tensor in state.values():
        if tensor.ndim > 1:
            tensor.normal_(std=(2 / tensor[0].numel()) ** 0.5, generator=generator)
    torch.save(state, weights)
    prepare_files(settings)
    files = sorted(map(str, Path(settings.folder, 'digits/val').glob('*/*.png')))[:2]
    features = [
        torch.stack([output[-1].cpu() for output in FeatureExtractor(_FID, str(weights), device=device)(files)])
        for device in (settings.device, 'cpu')
    ]
    found = {'difference from the CPU': expect_close(features[0], features[1], _TF32, 'features')}
    return {**found, **_compare_with_pytorch_fid(settings, files, state, features[0])}


def _compare_with_pytorch_fid(
    settings: Settings, files: list[str], state: dict[str, Tensor], ours: Tensor
) -> dict[str, Any]:
    try:
        from pytorch_fid import inception
        from pytorch_fid.fid_score import get_activations
    except ImportError:
        return {'pytorch-fid': 'not installed, not compared'}
    inception.load_state_dict_from_url = lambda *args, **kwargs: state
    network = cast('nn.Module', inception.InceptionV3()).to(settings.device)
    theirs = get_activations(files, network, batch_size=1, device=settings.device, num_workers=0)
    return {'difference from pytorch-fid': expect_close(ours, theirs, _TF32, 'pytorch-fid')}


def _exported(settings: Settings, to: str, name: str) -> str:
    file = str(Path(settings.folder, name))
    checkpoint = prepare_files(settings)
    try:
        export(ExportOptions(DIGITS, checkpoint=checkpoint, to=to, out=file, cfg_options=settings.digits))
    except InputError as error:
        if 'is not installed' in str(error):
            raise LeftOutError(str(error)) from error
        raise
    return file


def _test_file(settings: Settings, file: str) -> dict[str, Any]:
    expected = _cross_entropy(settings, prepare_files(settings), 'plain')
    found = _cross_entropy(settings, file, Path(file).suffix[1:])
    return {'difference': expect_close(found, expected, _TF32, Path(file).name)}


def _cross_entropy(settings: Settings, checkpoint: str, name: str, **options: Any) -> float:
    options = {'cfg_options': settings.digits, **options}
    work_dir = str(Path(settings.folder, f'test {name}'))
    return evaluate(TestOptions(DIGITS, checkpoints=(checkpoint,), work_dir=work_dir, **options))[_CROSS_ENTROPY]
