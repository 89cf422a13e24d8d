import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpretrain_inception.deploy import Contract
from mmpretrain_inception.deploy.preparation import crop, load, resize
from mmpretrain_inception.errors import InputError

counts = st.integers(1, 4000)
numbers = st.floats(-1e3, 1e3)
flags = st.booleans()
steps = st.one_of(
    st.builds(load, st.sampled_from(['cv2', 'pillow']), flags, st.none() | counts),
    st.builds(
        resize,
        st.sampled_from(['short_edge', 'long_edge', 'width', 'height']),
        st.just('cv2'),
        st.sampled_from(['nearest', 'bilinear', 'bicubic', 'area', 'lanczos']),
        size=counts,
    ),
    st.builds(
        resize,
        st.just('exact'),
        st.sampled_from(['cv2', 'pillow', 'tensorflow1', 'tensorflow2']),
        st.just('bilinear'),
        height=counts,
        width=counts,
    ),
    st.builds(crop, st.just('center'), height=counts, width=counts),
    st.builds(crop, st.just('central_fraction'), fraction=st.floats(0.01, 1)),
)
activations = st.sampled_from(
    [
        dict(),
        dict(activation=None),
        dict(activation='sigmoid', threshold=0.5),
        dict(activation='sigmoid', threshold=0),
        dict(activation='sigmoid', topk=1),
    ]
)
contracts = st.lists(st.text(), min_size=1, max_size=5).flatmap(
    lambda names: st.builds(
        Contract,
        num_classes=st.just(len(names)),
        height=counts,
        width=counts,
        mean=st.tuples(numbers, numbers, numbers),
        std=st.tuples(*[st.floats(1e-3, 1e3)] * 3),
        channel_order=st.sampled_from(['RGB', 'BGR']),
        with_preprocess=st.booleans(),
        precision=st.sampled_from(['fp32', 'bf16', 'fp16', 'int8']),
        classes=st.none() | st.just(tuple(names)),
        preparation=st.none() | st.lists(steps, max_size=4).map(tuple),
        config=st.text(),
    )
)


@given(contracts, activations)
def test_what_was_written_is_read(contract, activation):
    contract = replace(contract, **activation)
    assert Contract.from_json(contract.to_json(), 'file') == contract


@pytest.mark.parametrize(
    ('with_preprocess', 'expected'),
    [
        (False, dict(layout='NCHW', dtype='float32', input_channel_order='BGR')),
        (True, dict(layout='NHWC', dtype='uint8', input_channel_order='RGB')),
    ],
)
def test_the_document_says_what_goes_in_to_readers_without_this_package(with_preprocess, expected):
    contract = Contract(num_classes=2, height=75, width=80, channel_order='BGR', with_preprocess=with_preprocess)
    document = json.loads(contract.to_json())
    assert {key: document[key] for key in expected} == expected
    assert (document['input'], document['output'], document['version']) == ('images', 'logits', 2)
    assert contract.image_shape == ((75, 80, 3) if with_preprocess else (3, 75, 80))


CENTER = crop('center', height=75, width=75)
SHORT = resize('short_edge', 'cv2', 'bilinear', size=86)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(num_classes=0), 'num_classes is invalid: 0'),
        (dict(height=75.0), r'height is invalid: 75\.0'),
        (dict(mean=[1, 2]), 'mean is invalid'),
        (dict(std=[1, 0, 1]), 'std is invalid'),
        (dict(channel_order='GRB'), "channel_order is invalid: 'GRB'"),
        (dict(with_preprocess=1), 'with_preprocess is invalid'),
        (dict(precision='int4'), 'precision is invalid'),
        (dict(classes=['a', 'b', 'c']), 'classes is invalid'),
        (dict(activation='relu'), "activation is invalid: 'relu'"),
        (dict(threshold=0.5), r'threshold is invalid: 0\.5'),
        (dict(topk=2), 'topk is invalid: 2'),
        (dict(activation='sigmoid'), 'topk is invalid: None'),
        (dict(activation='sigmoid', topk=0), 'topk is invalid: 0'),
        (dict(activation='sigmoid', topk=3), 'topk is invalid: 3'),
        (dict(activation='sigmoid', threshold=0.5, topk=1), 'topk is invalid: 1'),
        (dict(activation='sigmoid', threshold=float('nan')), 'threshold is invalid: nan'),
        (dict(activation=['softmax']), 'activation is invalid'),
        (dict(mean=[float('nan'), 0, 0]), 'mean is invalid'),
        (dict(std=[float('inf'), 1, 1]), 'std is invalid'),
        (dict(classes='ab'), "classes is invalid: 'ab'"),
        (dict(classes=dict(a=1, b=2)), 'classes is invalid'),
        (dict(activation='sigmoid', threshold='high'), "threshold is invalid: 'high'"),
        (dict(preparation='resize'), "preparation is invalid: 'resize'"),
        *(
            (dict(preparation=[step]), 'preparation is invalid')
            for step in (
                *('resize', None, {}, dict(step='resize'), dict(step='flip'), dict(step=['crop'], rule='center')),
                dict(CENTER, height=0),
                dict(CENTER, side=1),
                dict(step='crop', rule='center', height=75),
                dict(step='crop', rule='random', height=75, width=75),
                dict(step='crop', rule='central_fraction', fraction=1.5),
                dict(SHORT, size=75.0),
                dict(SHORT, interpolation='hamming'),
                dict(SHORT, backend='tensorflow1', interpolation='area'),
                dict(SHORT, antialias=None),
                dict(SHORT, backend=['cv2']),
            )
        ),
        (dict(version=1), r'expected an input contract of version 2, got 1; export it again'),
        (dict(version=None), 'of version 2, got None'),
    ],
)
def test_a_document_that_cannot_be_is_refused(change, message):
    document = json.loads(Contract(num_classes=2, height=75, width=75).to_json())
    with pytest.raises(InputError, match=message):
        Contract.from_json(json.dumps({**document, **change}), 'model.onnx')


@pytest.mark.parametrize('text', ['[' * 200_000, '{', '[]', '{}', '{"version": 2}', '7'])
def test_a_damaged_document_is_refused_by_the_name_of_its_file(text):
    with pytest.raises(InputError, match=r'model\.onnx: its input contract is damaged'):
        Contract.from_json(text, 'model.onnx')


def test_a_file_without_a_document_is_not_ours():
    with pytest.raises(InputError, match=r'model\.onnx: expected a file written by tools/export\.py'):
        Contract.from_json(None, 'model.onnx')


@pytest.mark.parametrize(
    ('backend', 'interpolation', 'antialias'),
    [
        *[('cv2', 'bilinear', False), ('cv2', 'area', True), ('pillow', 'bilinear', True), ('pillow', 'box', True)],
        *[('pillow', 'nearest', False), ('tensorflow1', 'bilinear', False), ('tensorflow2', 'bilinear', False)],
    ],
)
def test_the_contract_says_what_antialiases(backend, interpolation, antialias):
    assert resize('exact', backend, interpolation, height=1, width=1)['antialias'] is antialias
