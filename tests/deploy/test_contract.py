import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpretrain_inception.deploy import Contract
from mmpretrain_inception.errors import InputError

counts = st.integers(1, 4000)
numbers = st.floats(-1e3, 1e3)
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
        config=st.text(),
    )
)


@given(contracts)
def test_what_was_written_is_read(contract):
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
    assert (document['input'], document['output'], document['version']) == ('images', 'logits', 1)
    assert contract.image_shape == ((75, 80, 3) if with_preprocess else (3, 75, 80))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(num_classes=0), 'no valid num_classes: 0'),
        (dict(height=75.0), 'no valid height'),
        (dict(mean=[1, 2]), 'no valid mean'),
        (dict(std=[1, 0, 1]), 'no valid std'),
        (dict(channel_order='GRB'), "no valid channel_order: 'GRB'"),
        (dict(with_preprocess=1), 'no valid with_preprocess'),
        (dict(precision='int4'), 'no valid precision'),
        (dict(classes=['a', 'b', 'c']), 'no valid classes'),
        (dict(version=2), 'of version 2, but 1 was expected'),
        (dict(version=None), 'of version None'),
    ],
)
def test_a_document_that_cannot_be_is_refused(change, message):
    document = json.loads(Contract(num_classes=2, height=75, width=75).to_json())
    with pytest.raises(InputError, match=message):
        Contract.from_json(json.dumps({**document, **change}), 'model.onnx')


@pytest.mark.parametrize('text', ['{', '[]', '{}', '{"version": 1}', '7'])
def test_a_damaged_document_is_refused_by_the_name_of_its_file(text):
    with pytest.raises(InputError, match=r'model\.onnx: its input contract is damaged'):
        Contract.from_json(text, 'model.onnx')


def test_a_file_without_a_document_is_not_ours():
    with pytest.raises(InputError, match=r'model\.onnx: a file that tools/export.py wrote was expected'):
        Contract.from_json(None, 'model.onnx')
